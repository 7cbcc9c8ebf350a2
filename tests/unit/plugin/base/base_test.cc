#include <criterion/criterion.h>
#include <signal.h>

#include <atomic>
#include <string>

#include "plugin/base/bounded_queue.h"
#include "plugin/base/listen_address.h"
#include "plugin/base/thread.h"
#include "plugin/base/utf8.h"

Test(utf8, keeps_what_is_valid) {
    std::string scratch;
    const std::string valid = "a\u00e9\u20ac\U0001F600z";
    cr_assert(weir::to_utf8(valid, scratch).data() == valid.data());
}

Test(utf8, replaces_each_wrong_byte) {
    std::string scratch;
    const std::string r = "\xEF\xBF\xBD";
    cr_assert(weir::to_utf8("\xff"
                            "a",
                            scratch) == r + "a");
    cr_assert(weir::to_utf8("\xc0\xaf", scratch) == r + r, "overlong");
    cr_assert(weir::to_utf8("\xed\xa0\x80", scratch) == r + r + r, "surrogate");
    cr_assert(weir::to_utf8("\xf4\x90\x80\x80", scratch) == r + r + r + r, "beyond U+10FFFF");
    cr_assert(weir::to_utf8("x\xe2\x82", scratch) == "x" + r + r, "cut short");
}

Test(listen_address, parses) {
    const auto v4 = weir::ListenAddress::parse("127.0.0.1:9531");
    cr_assert(v4 && v4->host == "127.0.0.1" && v4->port == 9531 && v4->is_loopback());
    const auto v6 = weir::ListenAddress::parse("[::1]:0");
    cr_assert(v6 && v6->host == "::1" && v6->port == 0 && v6->is_loopback());
    cr_assert(weir::ListenAddress::parse("localhost:1")->is_loopback());
    cr_assert_not(weir::ListenAddress::parse("0.0.0.0:80")->is_loopback());
    cr_assert_not(weir::ListenAddress::parse("[::]:80")->is_loopback());
}

Test(listen_address, refuses) {
    for (const char* text : {"", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                             "host:80", "127.0.0.1:80x", "300.0.0.1:80"}) {
        cr_assert_not(weir::ListenAddress::parse(text).has_value(), "%s", text);
    }
}

Test(bounded_queue, is_bounded_and_drains_after_close) {
    weir::BoundedQueue<int> queue(2);
    int one = 1, two = 2, three = 3;
    cr_assert(queue.push(one));
    cr_assert(queue.push(two));
    cr_assert_not(queue.push(three));
    cr_assert_eq(three, 3);
    queue.close({three});
    cr_assert_eq(*queue.pop(), 1);
    cr_assert_eq(*queue.pop(), 2);
    cr_assert_eq(*queue.pop(), 3);
    cr_assert_not(queue.pop().has_value());
    cr_assert_not(queue.push(one));
}

Test(thread, has_a_name_and_takes_no_signal) {
    std::string name;
    bool blocked = false;
    weir::start_thread("weir-a-name-too-long", [&] {
        char text[16] = {};
        pthread_getname_np(pthread_self(), text, sizeof(text));
        name = text;
        sigset_t mask;
        pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGPIPE) == 1;
    }).join();
    cr_assert(name == "weir-a-name-too");
    cr_assert(blocked);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    cr_assert_eq(sigismember(&mask, SIGTERM), 0, "the starting thread's mask is as before");
}
