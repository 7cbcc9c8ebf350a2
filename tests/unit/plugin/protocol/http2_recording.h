// What real HTTP/2 programs said to each other: tests/fuzz/corpus/http2, see tests/fuzz/record_http2.py.
#pragma once

#include <criterion/criterion.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace weir::test {

inline constexpr char kHttp2Recordings[][16] = {"curl_get", "curl_post",   "grpc",    "h2load",
                                                "nghttp",   "nghttp_push", "upgrade", "nghttp_padded"};

struct Http2Recording {
    struct Piece {
        bool from_client;
        std::string bytes;
    };

    std::vector<Piece> pieces;
    std::vector<std::string> expected;  // "METHOD path status grpc", sorted
    std::size_t size = 0;
};

inline std::string read_http2_file(const std::string& name) {
    std::ifstream in(std::string(WEIR_SOURCE_DIR) + "/tests/fuzz/corpus/http2/" + name, std::ios::binary);
    cr_assert(in.is_open(), "%s", name.c_str());
    return {std::istreambuf_iterator<char>(in), {}};
}

inline Http2Recording read_http2_recording(const std::string& name) {
    Http2Recording out;
    const std::string bytes = read_http2_file(name);
    for (std::size_t at = 0; at < bytes.size();) {
        const auto low = static_cast<unsigned char>(bytes[at + 1]);
        const auto high = static_cast<unsigned char>(bytes[at + 2]);
        const std::size_t n = low + 256u * high;
        out.pieces.push_back({bytes[at] == 1, bytes.substr(at + 3, n)});
        out.size += n;
        at += 3 + n;
    }
    std::istringstream lines(read_http2_file(name + ".expected"));
    for (std::string line; std::getline(lines, line);) out.expected.push_back(line);
    return out;
}

}  // namespace weir::test
