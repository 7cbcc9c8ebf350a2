#include "plugin/source/recording.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace weir {
namespace {

constexpr std::string_view kMagic = "WEIRREC1";
constexpr std::size_t kMaxRecord = std::max(sizeof(weir_dns_record), sizeof(weir_chunk_record));

class RecordingSource final : public Source {
public:
    RecordingSource(std::string path, Ledger& ledger) : path_(std::move(path)), ledger_(ledger) {}
    ~RecordingSource() override { stop(); }

    Status start() override {
        file_ = std::fopen(path_.c_str(), "rbe");
        if (file_ == nullptr) return fail(ErrorCode::invalid_argument, path_ + ": " + std::strerror(errno));
        std::array<char, kMagic.size()> magic{};
        const bool known = std::fread(magic.data(), magic.size(), 1, file_) == 1 &&
                           std::string_view(magic.data(), magic.size()) == kMagic;
        if (known) return {};
        stop();
        return fail(ErrorCode::invalid_argument, path_ + ": not a recording of this version");
    }

    int wake_fd() const override { return -1; }
    void drain(RecordSink&) override {}

    void sweep(RecordSink& sink, bool) override {
        std::uint32_t size = 0;
        std::vector<char> data;
        while (file_ != nullptr && std::fread(&size, sizeof(size), 1, file_) == 1 && size != 0) {
            if (size > kMaxRecord) return reject();
            data.resize(size);
            if (std::fread(data.data(), size, 1, file_) != 1) return reject();
            if (!dispatch_record(data.data(), size, sink)) ledger_.add(Loss::record_malformed);
        }
    }

    void stop() override {
        if (file_ != nullptr) std::fclose(file_);
        file_ = nullptr;
    }

    Capabilities capabilities() const override {
        return {"recording", "plays " + path_, true, true, true, true};
    }

private:
    // what follows cannot be told apart any more
    void reject() {
        ledger_.add(Loss::record_malformed);
        stop();
    }

    const std::string path_;
    Ledger& ledger_;
    std::FILE* file_ = nullptr;
};

}  // namespace

std::unique_ptr<Source> make_recording_source(std::string path, Ledger& ledger) {
    return std::make_unique<RecordingSource>(std::move(path), ledger);
}

Result<std::unique_ptr<RecordingSink>> RecordingSink::open(const std::string& path, RecordSink& next) {
    std::FILE* file = std::fopen(path.c_str(), "wbe");
    if (file == nullptr) return fail(ErrorCode::invalid_argument, path + ": " + std::strerror(errno));
    std::fwrite(kMagic.data(), kMagic.size(), 1, file);
    return std::unique_ptr<RecordingSink>(new RecordingSink(file, next));
}

RecordingSink::~RecordingSink() { std::fclose(file_); }

void RecordingSink::on_tcp(const weir_tcp_record& record) {
    write(&record, sizeof(record));
    next_.on_tcp(record);
}

void RecordingSink::on_http(const weir_http_record& record, std::string_view head) {
    const std::size_t size =
        record.count > 1 ? sizeof(record) : offsetof(weir_http_record, head) + head.size();
    write(&record, static_cast<std::uint32_t>(size));
    next_.on_http(record, head);
}

void RecordingSink::on_udp(const weir_udp_record& record) {
    write(&record, sizeof(record));
    next_.on_udp(record);
}

void RecordingSink::on_dns(const weir_dns_record& record, std::span<const std::uint8_t> data) {
    write(&record, offsetof(weir_dns_record, data), data);
    next_.on_dns(record, data);
}

void RecordingSink::on_chunk(const weir_chunk_record& record, std::span<const std::uint8_t> data) {
    write(&record, offsetof(weir_chunk_record, data), data);
    next_.on_chunk(record, data);
}

void RecordingSink::end_interval() { write_size(0); }

void RecordingSink::write_size(std::uint32_t size) { std::fwrite(&size, sizeof(size), 1, file_); }

void RecordingSink::write(const void* data, std::uint32_t size) {
    write_size(size);
    std::fwrite(data, size, 1, file_);
}

void RecordingSink::write(const void* fixed, std::size_t size, std::span<const std::uint8_t> data) {
    write_size(static_cast<std::uint32_t>(size + data.size()));
    std::fwrite(fixed, size, 1, file_);
    std::fwrite(data.data(), 1, data.size(), file_);
}

}  // namespace weir
