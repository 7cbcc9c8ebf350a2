#include "plugin/source/elf_symbols.h"

#include <gelf.h>

#include <algorithm>
#include <memory>

namespace weir {
namespace {

using ElfFile = std::unique_ptr<Elf, decltype(&elf_end)>;

// The offset in the file of what is loaded at `address`, 0 when nothing is.
std::uint64_t file_offset(Elf* elf, std::uint64_t address) {
    std::size_t count = 0;
    if (elf_getphdrnum(elf, &count) != 0) return 0;
    for (std::size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr) continue;
        if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
        if (address >= header.p_vaddr && address - header.p_vaddr < header.p_filesz) {
            return address - header.p_vaddr + header.p_offset;
        }
    }
    return 0;
}

void search(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, std::span<const std::string_view> names,
            std::vector<std::uint64_t>& out) {
    Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr || header.sh_entsize == 0) return;
    const std::size_t count = header.sh_size / header.sh_entsize;
    for (std::size_t i = 0; i < count; i++) {
        GElf_Sym symbol;
        if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return;
        if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_value == 0) continue;
        const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
        if (name == nullptr) continue;
        const auto at = std::find(names.begin(), names.end(), std::string_view(name));
        if (at == names.end()) continue;
        std::uint64_t& offset = out[static_cast<std::size_t>(at - names.begin())];
        if (offset == 0) offset = file_offset(elf, symbol.st_value);
    }
}

}  // namespace

std::vector<std::uint64_t> find_functions(int fd, std::span<const std::string_view> names) {
    std::vector<std::uint64_t> out(names.size());
    elf_version(EV_CURRENT);
    const ElfFile elf(elf_begin(fd, ELF_C_READ, nullptr), &elf_end);
    if (!elf || elf_kind(elf.get()) != ELF_K_ELF) return out;
    for (Elf_Scn* section = elf_nextscn(elf.get(), nullptr); section != nullptr;
         section = elf_nextscn(elf.get(), section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == nullptr) continue;
        if (header.sh_type == SHT_DYNSYM || header.sh_type == SHT_SYMTAB) {
            search(elf.get(), section, header, names, out);
        }
    }
    return out;
}

}  // namespace weir
