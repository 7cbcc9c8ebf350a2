#include "plugin/protocol/dns.h"

#include <algorithm>

namespace weir::protocol {
namespace {

constexpr std::size_t kHeader = 12;
constexpr std::size_t kMaxName = 255;     // bytes on the wire
constexpr std::size_t kMaxRecords = 256;  // kept; an answer has a handful
constexpr std::uint16_t kTypeOpt = 41;

void append_escaped(std::string& out, std::uint8_t byte) {
    if (byte >= 'A' && byte <= 'Z') byte = static_cast<std::uint8_t>(byte - 'A' + 'a');
    if (byte <= ' ' || byte >= 0x7f) {
        out += '\\';
        out += static_cast<char>('0' + byte / 100);
        out += static_cast<char>('0' + byte / 10 % 10);
        out += static_cast<char>('0' + byte % 10);
        return;
    }
    if (byte == '.' || byte == '\\') out += '\\';
    out += static_cast<char>(byte);
}

// Reads forward; whatever does not fit answers nothing and leaves the reader at its end.
class Reader {
public:
    explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    std::optional<std::uint16_t> u16() {
        if (bytes_.size() - at_ < 2) return give_up();
        at_ += 2;
        return static_cast<std::uint16_t>(bytes_[at_ - 2] << 8 | bytes_[at_ - 1]);
    }

    std::optional<std::uint32_t> u32() {
        const auto high = u16(), low = u16();
        if (!high || !low) return std::nullopt;
        return std::uint32_t{*high} << 16 | *low;
    }

    std::optional<std::span<const std::uint8_t>> take(std::size_t n) {
        if (bytes_.size() - at_ < n) return give_up();
        at_ += n;
        return bytes_.subspan(at_ - n, n);
    }

    std::optional<std::string> name() {
        auto end = name_at(at_);
        if (!end) return give_up();
        at_ = *end;
        return std::move(name_);
    }

    // A name inside of record data, which starts where the reader stood `size` bytes ago.
    std::optional<std::string> name_before(std::size_t size) {
        if (!name_at(at_ - size)) return std::nullopt;
        return std::move(name_);
    }

private:
    std::nullopt_t give_up() {
        at_ = bytes_.size();
        return std::nullopt;
    }

    // Into name_; where the name ends. Each pointer must lead before the part that it ends, so there is an
    // end.
    std::optional<std::size_t> name_at(std::size_t at) {
        name_.clear();
        std::optional<std::size_t> end;
        std::size_t part = at, wire = 0;
        while (at < bytes_.size()) {
            const std::uint8_t length = bytes_[at];
            if ((length & 0xc0) == 0xc0) {
                if (at + 1 >= bytes_.size()) return std::nullopt;
                const std::size_t to = static_cast<std::size_t>(length & 0x3f) << 8 | bytes_[at + 1];
                if (!end) end = at + 2;
                if (to >= part) return std::nullopt;
                part = at = to;
                continue;
            }
            wire += std::size_t{1} + length;
            if ((length & 0xc0) != 0 || wire > kMaxName) return std::nullopt;
            if (length == 0) {
                if (name_.empty()) name_ += '.';
                return end ? *end : at + 1;
            }
            if (bytes_.size() - at <= length) return std::nullopt;
            if (!name_.empty()) name_ += '.';
            for (std::size_t i = 1; i <= length; i++) append_escaped(name_, bytes_[at + i]);
            at += std::size_t{1} + length;
        }
        return std::nullopt;
    }

    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
    std::string name_;
};

std::array<std::uint8_t, 16> address_of(std::span<const std::uint8_t> data) {
    std::array<std::uint8_t, 16> out{};
    if (data.size() == 4) out[10] = out[11] = 0xff;
    std::copy(data.begin(), data.end(), out.end() - static_cast<std::ptrdiff_t>(data.size()));
    return out;
}

// False where the bytes end, or make no sense: nothing after it can be read.
bool read_record(Reader& in, DnsMessage& out, bool is_answer) {
    auto owner = in.name();
    const auto type = in.u16(), klass = in.u16();
    const auto ttl = in.u32();
    const auto size = in.u16();
    if (!owner || !size) return false;
    const auto data = in.take(*size);
    if (!data) return false;
    if (*type == kTypeOpt && !is_answer) {
        out.rcode = static_cast<std::uint16_t>((*ttl >> 24) << 4 | (out.rcode & 0xf));
    }
    if (!is_answer || *klass != kDnsClassIn || out.records.size() >= kMaxRecords) return true;

    DnsRecord record{std::move(*owner), *type, *ttl, {}, {}};
    if ((*type == kDnsA && *size == 4) || (*type == kDnsAaaa && *size == 16)) {
        record.address = address_of(*data);
    } else if (*type == kDnsCname) {
        auto target = in.name_before(*size);
        if (!target) return true;
        record.target = std::move(*target);
    } else {
        return true;
    }
    out.records.push_back(std::move(record));
    return true;
}

bool read_question(Reader& in, DnsMessage& out) {
    auto name = in.name();
    const auto type = in.u16(), klass = in.u16();
    if (!name || !klass) return false;
    out.name = std::move(*name);
    out.type = *type;
    out.question_class = *klass;
    return true;
}

// A chunk that is one message with its length, as they are mostly sent: where a stream makes sense again.
bool is_one_message(std::span<const std::uint8_t> bytes) {
    return bytes.size() > 2 && std::size_t{bytes[0]} * 256 + bytes[1] + 2 == bytes.size() &&
           parse_dns(bytes.subspan(2));
}

}  // namespace

std::optional<DnsMessage> parse_dns(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < kHeader) return std::nullopt;
    Reader in(bytes);
    DnsMessage out;
    out.id = *in.u16();
    const std::uint16_t flags = *in.u16();
    out.is_response = (flags & 0x8000) != 0;
    out.opcode = flags >> 11 & 0xf;
    out.is_truncated = (flags & 0x0200) != 0;
    out.rcode = flags & 0xf;
    const std::uint16_t questions = *in.u16(), answers = *in.u16();
    const unsigned others = unsigned{*in.u16()} + *in.u16();
    // a query asks one thing, and an error may leave out what was asked
    if (questions > 1 || (questions == 0 && !out.is_response)) return std::nullopt;
    if (questions == 1 && !read_question(in, out)) return std::nullopt;
    for (unsigned i = 0; i < answers + others && !out.is_cut; i++) {
        out.is_cut = !read_record(in, out, i < answers);
    }
    return out;
}

// Servers put a chain in order, but need not: an owner may come before what leads to it.
std::vector<DnsAnswer> dns_answers(const DnsMessage& message) {
    constexpr std::size_t kMaxChain = 16;
    std::vector<DnsAnswer> out;
    std::string name = message.name;
    std::uint32_t ttl = UINT32_MAX;
    for (std::size_t step = 0; step < kMaxChain; step++) {
        const DnsRecord* alias = nullptr;
        for (const DnsRecord& record : message.records) {
            if (record.owner != name) continue;
            if (record.type == kDnsCname) {
                alias = &record;
            } else {
                out.push_back({record.address, std::min(ttl, record.ttl)});
            }
        }
        if (alias == nullptr || !out.empty()) break;
        ttl = std::min(ttl, alias->ttl);
        name = alias->target;
    }
    return out;
}

void DnsStream::feed(std::span<const std::uint8_t> bytes, bool is_cut, const OnMessage& on_message) {
    const bool may_begin = is_one_message(bytes) || (is_lost_ && bytes.size() == 2);
    if ((is_lost_ || header_ != 0) && may_begin) *this = DnsStream();
    while (!bytes.empty() && !is_lost_) bytes = bytes.subspan(take(bytes, on_message));
    if (!is_cut) return;
    if (header_ == 2 && !is_lost_) finish(on_message);
    *this = DnsStream();
    is_lost_ = true;
}

// Goes on with the message in work; how many bytes that took.
std::size_t DnsStream::take(std::span<const std::uint8_t> bytes, const OnMessage& on_message) {
    if (header_ < 2) {
        size_ = size_ << 8 | bytes.front();
        header_++;
        is_lost_ = header_ == 2 && size_ < kHeader;
        return 1;
    }
    const std::size_t step = std::min(size_ - passed_, bytes.size());
    const auto room = static_cast<std::ptrdiff_t>(std::min(step, kMaxKept - kept_.size()));
    kept_.insert(kept_.end(), bytes.begin(), bytes.begin() + room);
    passed_ += step;
    if (passed_ == size_) finish(on_message);
    return step;
}

void DnsStream::finish(const OnMessage& on_message) {
    const bool makes_sense = parse_dns(kept_).has_value();
    if (makes_sense) on_message(kept_);
    *this = DnsStream();
    is_lost_ = !makes_sense;
}

}  // namespace weir::protocol
