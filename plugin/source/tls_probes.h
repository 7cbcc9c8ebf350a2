// Which files bring OpenSSL along, and the probes on their functions.
//
// A probe belongs to a file, not to a process: once it is set, whoever maps the file is seen, programs
// started later included. Files are found by what processes map: libssl by its name, and programs that have
// it inside by their symbols. Each file, by device and inode, is looked at once.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "plugin/base/log.h"
#include "plugin/source/uprobes.h"

struct weir_bpf;

namespace weir {

class TlsProbes {
public:
    // `skeleton` is loaded and outlives this.
    TlsProbes(weir_bpf& skeleton, Logger log);
    ~TlsProbes();
    TlsProbes(const TlsProbes&) = delete;
    TlsProbes& operator=(const TlsProbes&) = delete;

    // What every process maps now, and the libraries of this host that none maps yet.
    void look_everywhere();
    // A process that may bring a library along: a little later if it has just begun, so it is looked at again.
    void on_program(std::uint32_t pid);
    // Looks at what has become due. Costs nothing when nothing has. Boot time.
    void tick(std::int64_t now_ns);
    // Forgets what processes left behind that ended without saying so.
    void forget_dead();

private:
    using FileId = std::pair<std::string, std::uint64_t>;  // device as /proc writes it, inode
    struct Due {
        std::int64_t at_ns = 0;
        std::uint32_t pid = 0;
    };

    void look_at_process(const std::string& pid);
    void look_at_line(const std::string& pid, const std::string& program, const std::string& line);
    bool attach(const std::string& path);
    void follow(const std::string& descriptor, const std::vector<std::uint64_t>& offsets);
    std::size_t set_probes(const std::string& path, const std::vector<std::uint64_t>& offsets);
    bool keep(Uprobe probe);

    weir_bpf& skeleton_;
    const bool many_at_once_;
    const Logger log_;
    std::set<FileId> seen_;
    std::vector<Due> due_;
    std::int64_t next_round_ns_ = 0;
    std::vector<Uprobe> set_;
};

}  // namespace weir
