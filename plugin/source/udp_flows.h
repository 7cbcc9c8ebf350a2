// The kernel side's map of UDP flows: read once an interval, and tidied up.
//
// Flows that were idle are forgotten in the kernel; when they come to life again they are entered anew, which
// makes no difference to what is reported, because a UDP flow has neither begin nor end.
#pragma once

#include <memory>

#include "plugin/base/status.h"
#include "plugin/source/source.h"

struct bpf_map;
struct bpf_program;

namespace weir {

class UdpFlows {
public:
    // The iterator program over `flows`, and the counters of what found no room there. All three belong to a
    // loaded object that must outlive this.
    static Result<std::unique_ptr<UdpFlows>> attach(bpf_program* walk, bpf_map* flows, bpf_map* other);
    ~UdpFlows();
    UdpFlows(const UdpFlows&) = delete;
    UdpFlows& operator=(const UdpFlows&) = delete;

    // Hands over what is new since the last time. One thread.
    Status sweep(RecordSink& sink);

private:
    UdpFlows() = default;
    Status read_flows(RecordSink& sink);
    void read_other(RecordSink& sink);
    void forget(const weir_udp_record& record);

    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace weir
