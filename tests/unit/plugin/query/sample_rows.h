// A small batch with one row of each kind that filters and dimensions tell apart.
#pragma once

#include "plugin/flow/batch.h"

namespace weir::test {

// Rows of sample_batch().l4.
enum SampleRow : std::size_t {
    kCurlToNginx,     // outgoing to this same host: 127.0.0.1:* -> 127.0.0.1:80, curl to nginx
    kNginxFromCurl,   // the same flow from its server's side
    kCurlToOutside,   // outgoing: 10.0.0.5:* -> 93.184.216.34:443, curl
    kNginxFromOther,  // incoming: 10.0.0.7:* -> 10.0.0.5:80, nginx
    kUnknownToV6,     // outgoing: [2001:db8::1]:40000 -> [2001:db8::35]:53, udp, no process known
    kSampleRows,
};

// Also has L7 rows: GET /users/1 200 on kCurlToNginx's flow, POST /users 503 on kNginxFromOther's.
Batch sample_batch();

}  // namespace weir::test
