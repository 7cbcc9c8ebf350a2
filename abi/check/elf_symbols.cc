#include "abi/check/elf_symbols.h"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

namespace weir::check {
namespace {

// Reads structures from a file's bytes, nothing beyond their end.
class Image {
public:
    explicit Image(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        bytes_.assign(std::istreambuf_iterator<char>(file), {});
    }

    template <typename T>
    std::optional<T> at(std::uint64_t offset) const {
        if (offset > bytes_.size() || sizeof(T) > bytes_.size() - offset) return std::nullopt;
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof value);
        return value;
    }

    std::string text(std::uint64_t offset) const {
        if (offset >= bytes_.size()) return {};
        const auto end = bytes_.find('\0', offset);
        return bytes_.substr(offset, end == std::string::npos ? end : end - offset);
    }

private:
    std::string bytes_;
};

bool is_exported(const Elf64_Sym& symbol) {
    const unsigned binding = ELF64_ST_BIND(symbol.st_info);
    const unsigned visibility = ELF64_ST_VISIBILITY(symbol.st_other);
    const bool seen = binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE;
    return seen && symbol.st_shndx != SHN_UNDEF && (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

}  // namespace

std::vector<std::string> exported_symbols(const std::string& path) {
    const Image image(path);
    std::vector<std::string> names;
    const auto header = image.at<Elf64_Ehdr>(0);
    if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return names;
    const auto section = [&](std::uint64_t index) {
        return image.at<Elf64_Shdr>(header->e_shoff + index * sizeof(Elf64_Shdr));
    };
    for (unsigned i = 0; i < header->e_shnum; ++i) {
        const auto table = section(i);
        if (!table || table->sh_type != SHT_DYNSYM) continue;
        const auto strings = section(table->sh_link);
        for (std::uint64_t at = 0; strings && at < table->sh_size; at += sizeof(Elf64_Sym)) {
            const auto symbol = image.at<Elf64_Sym>(table->sh_offset + at);
            if (symbol && is_exported(*symbol))
                names.push_back(image.text(strings->sh_offset + symbol->st_name));
        }
    }
    return names;
}

}  // namespace weir::check
