// What a rule found out, and how its process tells it to the one that prints it.
#pragma once

#include <string>

namespace weir::check {

// A rule runs in a process of its own, because a plugin that breaks it may crash or hang. What it finds goes
// through a pipe at once, so nothing of it is lost then.
class Verdict {
public:
    explicit Verdict(int pipe) : pipe_(pipe) {}

    // The rule goes on after a failure; all of them are reported.
    void fail(const std::string& why) { send('F', why); }
    // Returns `holds`.
    bool check(bool holds, const std::string& otherwise) {
        if (!holds) fail(otherwise);
        return holds;
    }
    // Why the rule cannot be tried here. Not a pass.
    void skip(const std::string& why) { send('S', why); }
    // What is under way, for the case that it does not come back.
    void step(const std::string& what) { send('#', what); }

private:
    void send(char kind, std::string text);

    int pipe_;
};

}  // namespace weir::check
