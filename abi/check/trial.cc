#include "abi/check/trial.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <exception>
#include <vector>

namespace weir::check {
namespace {

using Clock = std::chrono::steady_clock;

// No step of a rule takes longer than this and the patience with points.
constexpr auto kLongestStep = 20s;

struct Findings {
    std::vector<std::string> failures;
    std::string skipped;
    std::string last_step;
    std::string unfinished;  // a line that has not come whole
};

void take_line(Findings& findings, const std::string& line) {
    const std::string text = line.substr(1);
    auto& failures = findings.failures;
    switch (line.front()) {
        case 'F':
            if (std::find(failures.begin(), failures.end(), text) == failures.end()) failures.push_back(text);
            break;
        case 'S': findings.skipped = text; break;
        case '#': findings.last_step = text; break;
        default: break;
    }
}

void take(Findings& findings, std::string_view bytes) {
    for (const char c : bytes) {
        if (c != '\n') {
            findings.unfinished += c;
            continue;
        }
        if (!findings.unfinished.empty()) take_line(findings, findings.unfinished);
        findings.unfinished.clear();
    }
}

[[noreturn]] void run_rule(const Rule& rule, const Settings& settings, int pipe) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // What a plugin prints by itself does not belong between the lines of the report.
    const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(nowhere, standard);
    close(nowhere);
    Verdict verdict(pipe);
    try {
        Bench bench(settings, verdict);
        rule.run(bench);
    } catch (const std::exception& problem) {
        verdict.fail(std::string("the rule could not be tried: ") + problem.what());
    } catch (...) {
        verdict.fail("an exception left the plugin");
    }
    _exit(0);  // whatever a plugin registered for the end is not the rule's matter
}

// Reads until the process ends. False when nothing came for `limit`: each step of a rule is told.
bool read_all(Findings& findings, int pipe, Milliseconds limit) {
    char buffer[4096];
    auto heard = Clock::now();
    while (Clock::now() < heard + limit) {
        pollfd source{pipe, POLLIN, 0};
        const auto left = std::chrono::ceil<Milliseconds>(heard + limit - Clock::now());
        if (poll(&source, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) <= 0) continue;
        const ssize_t got = read(pipe, buffer, sizeof buffer);
        if (got <= 0) return true;
        take(findings, {buffer, static_cast<std::size_t>(got)});
        heard = Clock::now();
    }
    return false;
}

std::string joined(const std::vector<std::string>& texts) {
    constexpr std::size_t kShown = 3;
    std::string all;
    for (std::size_t i = 0; i < std::min(texts.size(), kShown); ++i) all += (i == 0 ? "" : "; ") + texts[i];
    if (texts.size() > kShown) all += "; and " + std::to_string(texts.size() - kShown) + " more";
    return all;
}

Outcome outcome(Findings& findings, int status, bool in_time) {
    using Kind = Outcome::Kind;
    const std::string where = findings.last_step.empty() ? "" : " in: " + findings.last_step;
    if (!in_time) {
        findings.failures.push_back("it does not come back" + where);
    } else if (WIFSIGNALED(status)) {
        findings.failures.push_back(std::string("the process dies of SIG") + sigabbrev_np(WTERMSIG(status)) +
                                    where);
    } else if (WEXITSTATUS(status) != 0) {
        findings.failures.push_back("the process ends with code " + std::to_string(WEXITSTATUS(status)) +
                                    where);
    }
    if (!findings.failures.empty()) return {Kind::fail, joined(findings.failures)};
    if (!findings.skipped.empty()) return {Kind::skip, findings.skipped};
    return {Kind::pass, {}};
}

}  // namespace

Outcome try_rule(const Rule& rule, const Settings& settings) {
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0) return {Outcome::Kind::fail, std::strerror(errno)};
    const pid_t process = fork();
    if (process == 0) {
        close(pipes[0]);
        run_rule(rule, settings, pipes[1]);
    }
    close(pipes[1]);
    Findings findings;
    const bool in_time = read_all(findings, pipes[0], kLongestStep + settings.patience);
    close(pipes[0]);
    if (!in_time) kill(process, SIGKILL);
    int status = 0;
    waitpid(process, &status, 0);
    return outcome(findings, status, in_time);
}

}  // namespace weir::check
