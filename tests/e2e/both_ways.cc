// Collects on this machine and writes every point of every interval in both formats.
//
//   both_ways SECONDS LINES PROTOBUF
//
// Prints "ready" when it collects.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "plugin/entry/collector.h"
#include "plugin/entry/outlet.h"
#include "plugin/point/encoder.h"
#include "plugin/source/bpf_source.h"

using namespace weir;

namespace {

void write(PointEncoder& encoder, const Batch& batch, std::ofstream& file) {
    for (const L4Row& row : batch.l4) encoder.append(batch, row);
    for (const L7Row& row : batch.l7) encoder.append(batch, row);
    for (const DnsRow& row : batch.dns) encoder.append(batch, row);
    file.write(encoder.bytes().data(), static_cast<std::streamsize>(encoder.bytes().size()));
    encoder.clear();
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 4) return 2;
    Ledger ledger;
    auto source = make_bpf_source({}, Logger(), ledger);
    if (const Status started = source->start(); !started) {
        std::fprintf(stderr, "%s\n", started.error().message.c_str());
        return 1;
    }
    FlowOptions flow;
    flow.host = "h, =\\";
    flow.service = "ebpf";
    flow.drop_loopback = false;
    entry::Outlet outlet(8, ledger);
    enrich::Enrichment enrichment({}, system_clock(), Logger(), ledger);
    enrichment.start();
    entry::Collector collector(std::move(source), {1'000'000'000, true, flow}, enrichment, {&outlet},
                               system_clock(), ledger);
    collector.start();
    std::puts("ready");
    std::fflush(stdout);
    std::thread end([&] {
        std::this_thread::sleep_for(std::chrono::seconds(std::atoi(arguments[1])));
        collector.stop();
    });

    const std::vector<Tag> tags = {{"a.b", "x,y=z \\"}, {"zone", "\xc3\xa9u"}};
    const auto lines = make_encoder(PointFormat::line_protocol, tags);
    const auto messages = make_encoder(PointFormat::protobuf, tags);
    std::ofstream lines_file(arguments[2], std::ios::binary), messages_file(arguments[3], std::ios::binary);
    while (const auto batch = outlet.queue().pop()) {
        write(*lines, **batch, lines_file);
        write(*messages, **batch, messages_file);
    }
    end.join();
    enrichment.stop();
    return lines_file.flush() && messages_file.flush() ? 0 : 1;
}
