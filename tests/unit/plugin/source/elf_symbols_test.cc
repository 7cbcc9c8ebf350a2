#include "plugin/source/elf_symbols.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>

using weir::find_functions;

namespace {

constexpr std::array<std::string_view, 2> kNames = {"weir_test_function", "weir_no_such_function"};

std::vector<std::uint64_t> look(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    auto found = find_functions(fd, kNames);
    close(fd);
    return found;
}

}  // namespace

extern "C" [[gnu::noinline, gnu::used]] int weir_test_function(int value) { return value * 41 + 1; }

Test(elf_symbols, a_function_is_found_where_its_code_stands) {
    const auto found = look("/proc/self/exe");
    cr_assert_neq(found[0], 0u);
    cr_assert_eq(found[1], 0u);
    std::array<unsigned char, 16> in_file{};
    std::ifstream file("/proc/self/exe", std::ios::binary);
    file.seekg(static_cast<std::streamoff>(found[0]));
    file.read(reinterpret_cast<char*>(in_file.data()), in_file.size());
    const auto* in_memory = reinterpret_cast<const unsigned char*>(&weir_test_function);
    cr_assert(std::equal(in_file.begin(), in_file.end(), in_memory));
}

Test(elf_symbols, what_is_not_elf_or_damaged_has_no_functions) {
    const std::string path = "/tmp/weir-elf-" + std::to_string(getpid());
    std::ofstream(path) << "#!/bin/sh\n";
    cr_assert_eq(look(path)[0], 0u);
    std::ofstream(path, std::ios::trunc).close();
    cr_assert_eq(look(path)[0], 0u);
    // the program itself, cut short and with headers that point anywhere
    std::ifstream whole("/proc/self/exe", std::ios::binary);
    std::string bytes(20000, '\0');
    whole.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    for (const std::size_t size : {std::size_t{10}, sizeof(Elf64_Ehdr), std::size_t{4096}, bytes.size()}) {
        std::ofstream(path, std::ios::binary | std::ios::trunc)
            .write(bytes.data(), static_cast<std::streamsize>(size));
        cr_assert_eq(look(path)[0], 0u);
    }
    for (std::size_t i = 16; i < sizeof(Elf64_Ehdr); i++) {
        std::string odd = bytes;
        odd[i] = static_cast<char>(0xee);
        std::ofstream(path, std::ios::binary | std::ios::trunc) << odd;
        look(path);
    }
    unlink(path.c_str());
}
