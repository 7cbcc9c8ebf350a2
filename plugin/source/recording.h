// A source that is a file: the records of a run, kept and played back, so that tests drive everything
// downstream of the kernel with what a kernel really said.
//
// Format, version 1, in the byte order of the machine (a recording is a test's fixture, not an archive):
//   8 bytes  "WEIRREC1"
//   then entries: u32 size, then `size` bytes of one record of bpf/events.h; size 0 ends an interval.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "plugin/base/ledger.h"
#include "plugin/source/source.h"

namespace weir {

// Plays one interval a sweep; drain() yields nothing. Sweeps after the last interval yield nothing.
std::unique_ptr<Source> make_recording_source(std::string path, Ledger& ledger);

// A sink that writes what passes to a file and hands it on.
class RecordingSink final : public RecordSink {
public:
    static Result<std::unique_ptr<RecordingSink>> open(const std::string& path, RecordSink& next);
    ~RecordingSink() override;
    RecordingSink(const RecordingSink&) = delete;
    RecordingSink& operator=(const RecordingSink&) = delete;

    void on_tcp(const weir_tcp_record& record) override;
    void on_http(const weir_http_record& record, std::string_view head) override;
    void on_udp(const weir_udp_record& record) override;
    void on_dns(const weir_dns_record& record, std::span<const std::uint8_t> data) override;
    void on_chunk(const weir_chunk_record& record, std::span<const std::uint8_t> data) override;
    void end_interval();

private:
    RecordingSink(std::FILE* file, RecordSink& next) : file_(file), next_(next) {}
    void write_size(std::uint32_t size);
    void write(const void* data, std::uint32_t size);
    void write(const void* fixed, std::size_t size, std::span<const std::uint8_t> data);

    std::FILE* file_;
    RecordSink& next_;
};

}  // namespace weir
