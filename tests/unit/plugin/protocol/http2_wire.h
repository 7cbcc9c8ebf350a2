// HTTP/2 as peers write it, for tests: frames put together by hand, header blocks by libnghttp2.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/protocol/http2.h"

namespace weir::test {

using protocol::FrameType;

inline unsigned ending(bool ends) { return ends ? unsigned{protocol::kEndStream} : 0u; }

inline std::string frame(FrameType type, unsigned flags, std::uint32_t stream, std::string_view payload) {
    std::string out;
    const std::size_t n = payload.size();
    for (const std::size_t byte : {n >> 16, n >> 8, n}) out.push_back(static_cast<char>(byte));
    out.push_back(static_cast<char>(type));
    out.push_back(static_cast<char>(flags));
    for (const std::uint32_t byte : {stream >> 24, stream >> 16, stream >> 8, stream})
        out.push_back(static_cast<char>(byte));
    return out.append(payload);
}

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// One end of a connection, as far as its header compression goes.
class Peer {
public:
    Peer() { nghttp2_hd_deflate_new(&deflater_, 4096); }
    ~Peer() { nghttp2_hd_deflate_del(deflater_); }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    std::string block(const HeaderList& headers) {
        std::vector<nghttp2_nv> list;
        for (const auto& [name, value] : headers) {
            list.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
        }
        std::string out(nghttp2_hd_deflate_bound(deflater_, list.data(), list.size()), '\0');
        const ssize_t n = nghttp2_hd_deflate_hd(deflater_, bytes(out), out.size(), list.data(), list.size());
        out.resize(static_cast<std::size_t>(n));
        return out;
    }

    std::string headers(std::uint32_t stream, const HeaderList& list, bool ends) {
        return frame(FrameType::headers, protocol::kEndHeaders | ending(ends), stream, block(list));
    }
    std::string get(std::uint32_t stream, const std::string& path) {
        return headers(
            stream, {{":method", "GET"}, {":path", path}, {":scheme", "http"}, {":authority", "a.example"}},
            true);
    }
    std::string answer(std::uint32_t stream, const std::string& status) {
        return headers(stream, {{":status", status}, {"server", "test"}}, true);
    }

    void set_table_size(std::size_t size) { nghttp2_hd_deflate_change_table_size(deflater_, size); }

private:
    static std::uint8_t* bytes(const std::string& text) {
        return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    }

    nghttp2_hd_deflater* deflater_ = nullptr;
};

// One end that puts every path and status into its table, as some do; by hand, since libnghttp2 does not.
class IndexingPeer {
public:
    std::string get(std::uint32_t stream, const std::string& path) {
        return send(stream, "\x82\x86" + field(path == "/" ? '\x84' : '\x44', path));
    }
    std::string answer(std::uint32_t stream, const std::string& status) {
        return send(stream, field(status == "200" ? '\x88' : '\x48', status));
    }

private:
    static std::string send(std::uint32_t stream, std::string_view block) {
        return frame(FrameType::headers, protocol::kEndHeaders | ending(true), stream, block);
    }
    // A reference to an entry of the table, or a literal that becomes one (RFC 7541, section 6).
    std::string field(char name, const std::string& value) {
        if ((name & 0x80) != 0) return {name};
        for (std::size_t i = 0; i < table_.size(); i++) {
            const std::size_t index = 62 + table_.size() - 1 - i;
            if (table_[i] == value) return reference(index);
        }
        table_.push_back(value);
        return name + (static_cast<char>(value.size()) + value);
    }
    static std::string reference(std::size_t index) {
        if (index < 127) return {static_cast<char>(0x80 | index)};
        std::string out = "\xff";
        for (index -= 127; index >= 128; index /= 128) out.push_back(static_cast<char>(0x80 | index % 128));
        out.push_back(static_cast<char>(index));
        return out;
    }

    std::vector<std::string> table_;
};

// Like +, but what is written first is made first: tables depend on the order.
inline std::string in_order(std::initializer_list<std::string> parts) {
    std::string out;
    for (const std::string& part : parts) out += part;
    return out;
}

inline std::string settings() { return frame(FrameType::settings, 0, 0, ""); }
inline std::string client_begin() { return std::string(protocol::kHttp2Preface) + settings(); }
inline std::string data(std::uint32_t stream, std::string_view body, bool ends) {
    return frame(FrameType::data, ending(ends), stream, body);
}

// Keeps what a connection reports, as text "METHOD path status grpc" and in full.
class Log final : public protocol::Http2Sink {
public:
    struct Entry {
        std::string text;
        protocol::Http2Request request;  // its texts are gone
    };

    void on_request(const protocol::Http2Request& request) override {
        bytes += request.request_bytes + request.response_bytes;
        count += request.count;
        entries.push_back({std::string(request.method) + " " + std::string(request.path) + " " +
                               std::to_string(request.status) + " " + std::to_string(request.grpc_status),
                           request});
    }
    void on_loss(protocol::Http2Loss loss, std::uint64_t n) override {
        losses[static_cast<std::size_t>(loss)] += n;
    }
    std::uint64_t lost(protocol::Http2Loss loss) const { return losses[static_cast<std::size_t>(loss)]; }
    std::vector<std::string> texts() const {
        std::vector<std::string> out;
        for (const Entry& entry : entries) {
            if (entry.request.count != 0) out.push_back(entry.text);
        }
        return out;
    }

    std::vector<Entry> entries;
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;

private:
    std::uint64_t losses[3] = {};
};

// A connection, its log, and where its two directions are.
class Watched {
public:
    explicit Watched(protocol::Http2StreamLimits limits = {}, std::size_t budget = std::size_t{4} << 20)
        : budget_(budget), connection(budget_, log, limits) {}

    void client(std::string_view bytes) { feed(true, bytes); }
    void server(std::string_view bytes) { feed(false, bytes); }
    void feed(bool from_client, std::string_view bytes) {
        std::uint64_t& at = offset_[from_client];
        connection.feed({from_client, ++time, at, bytes});
        at += bytes.size();
    }
    // Bytes that pass without being seen.
    void miss(bool from_client, std::size_t n) { offset_[from_client] += n; }
    const protocol::MemoryBudget& budget() const { return budget_; }

private:
    protocol::MemoryBudget budget_;
    std::uint64_t offset_[2] = {};

public:
    Log log;
    std::uint64_t time = 0;
    protocol::Http2Connection connection;
};

}  // namespace weir::test
