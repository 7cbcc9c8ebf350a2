#include "plugin/enrich/containers.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

using namespace weir::enrich;

namespace {

const std::string kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kOther = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

// The mount of cgroup v2, in which a test may make groups.
std::string v2_mount() {
    for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        if (access((std::string(mount) + "/cgroup.procs").c_str(), W_OK) == 0 &&
            access((std::string(mount) + "/cgroup.controllers").c_str(), F_OK) == 0)
            return mount;
    }
    return {};
}

std::string v1_mount() {
    const std::string mount = "/sys/fs/cgroup/pids";
    return access((mount + "/cgroup.procs").c_str(), W_OK) == 0 ? mount : "";
}

// A control group with a sleeping process in it.
struct Group {
    std::string path;
    pid_t pid = -1;

    explicit Group(std::string at) : path(std::move(at)) {
        cr_assert_eq(mkdir(path.c_str(), 0755), 0, "%s", path.c_str());
        pid = fork();
        if (pid == 0) {
            pause();
            _exit(0);
        }
        std::FILE* procs = std::fopen((path + "/cgroup.procs").c_str(), "w");
        cr_assert_not_null(procs);
        std::fprintf(procs, "%d", pid);
        std::fclose(procs);
    }
    std::uint64_t id() const {
        struct stat about {};
        stat(path.c_str(), &about);
        return about.st_ino;
    }
    void end_process() {
        if (pid <= 0) return;
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
        pid = -1;
    }
    ~Group() {
        end_process();
        for (int i = 0; i < 100 && rmdir(path.c_str()) != 0; i++) usleep(10'000);
    }
};

}  // namespace

Test(containers, paths_of_the_runtimes) {
    const struct {
        std::string path, id;
    } cases[] = {
        {"/docker/" + kId, kId},
        {"/system.slice/docker-" + kId + ".scope", kId},
        {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/cri-containerd-" + kId +
             ".scope",
         kId},
        {"/kubepods/burstable/pod0c5fd0c0-1111-2222-3333-444444444444/" + kId, kId},
        {"/system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:" + kId, kId},
        {"/kubepods.slice/kubepods-pod1.slice/crio-" + kId + ".scope", kId},
        {"/kubepods.slice/kubepods-pod1.slice/crio-" + kId + ".scope/container", kId},
        {"/kubepods.slice/kubepods-pod1.slice/crio-conmon-" + kId + ".scope", ""},
        {"/machine.slice/libpod-" + kId + ".scope", kId},
        {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId + ".scope/container", kId},
        {"/machine.slice/libpod-conmon-" + kId + ".scope", ""},
        {"/default/" + kId, kId},
        {"/docker/" + kOther + "/kubelet/kubepods/besteffort/pod1/" + kId, kId},
        {"/machine.slice/systemd-nspawn@build\\x2dbox.service/payload", "build-box"},
        {"/machine.slice/machine-web.scope", "web"},
        {"/lxc.payload.web1/init.scope", "web1"},
        {"/lxc/web1", "web1"},
        {"/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-2583420412",
         "0123456789abcdef0123456789abcdef-2583420412"},
        {"/", ""},
        {"", ""},
        {"/system.slice/ssh.service", ""},
        {"/user.slice/user-0.slice/session-1.scope", ""},
        {"/machine.slice", ""},
        {"/x" + kId, ""},
        {"/docker/" + kId.substr(1), ""},
    };
    for (const auto& c : cases) {
        const std::string found = container_of_path(c.path);
        cr_assert(found == c.id, "%s: %s", c.path.c_str(), found.c_str());
    }
}

Test(containers, the_text_of_proc) {
    cr_assert(container_of_cgroups("12:pids:/docker/" + kId + "\n0::/system.slice\n") == kId);
    cr_assert(container_of_cgroups("1:name=systemd:/\n0::/system.slice/docker-" + kId + ".scope") == kId);
    cr_assert(container_of_cgroups("0::/\n").empty());
    cr_assert(container_of_cgroups("nonsense\n\n::").empty());
}

Test(containers, of_a_real_group_also_when_its_process_is_gone) {
    const std::string mount = v2_mount();
    if (mount.empty()) cr_skip_test("cgroup v2 cannot be written here");
    Group group(mount + "/docker-" + kId + ".scope");
    Group none(mount + "/weir-test-none-" + std::to_string(getpid()));
    Containers containers;
    cr_assert(containers.find(group.id(), 0, 0) == kId);
    cr_assert(containers.find(none.id(), static_cast<std::uint32_t>(none.pid), 0).empty());
    group.end_process();
    Containers later;
    cr_assert(later.find(group.id(), 4'000'000, 0) == kId);
    cr_assert(later.find(group.id(), 4'000'000, 1) == kId, "from memory");
}

Test(containers, of_a_real_group_of_cgroup_v1) {
    const std::string mount = v1_mount();
    if (mount.empty()) cr_skip_test("cgroup v1 cannot be written here");
    Group group(mount + "/" + kId);
    Containers containers;
    const auto pid = static_cast<std::uint32_t>(group.pid);
    cr_assert(containers.find(1, pid, 0) == kId, "1 is the root of cgroup v2");
    cr_assert(containers.find(1, static_cast<std::uint32_t>(getpid()), 0).empty());
    group.end_process();
    cr_assert(containers.find(1, pid, 1) == kId, "remembered");
    cr_assert(containers.find(1, pid, 40'000'000'000).empty(), "not for ever: the PID may be another's");
}

Test(containers, what_is_unknown_is_none) {
    Containers containers;
    cr_assert(containers.find(0, 0, 0).empty());
    cr_assert(containers.find(UINT64_MAX - 5, 4'000'000, 0).empty());
    for (std::uint32_t pid = 4'000'000; pid < 4'040'000; pid++) {
        cr_assert(containers.find(0, pid, 0).empty());
    }
}
