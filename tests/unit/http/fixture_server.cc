// fixture_server [CERTIFICATE KEY]: the server of the fixture as a process of its own, for tests that are
// no C++. Prints its address and runs until its input ends.
#include <cstdio>
#include <iostream>

#include "tests/unit/http/fixture.h"

int main(int argc, char** argv) {
    weir::http::ServerOptions options = weir::test::ServerUnderTest::local();
    if (argc == 3) {
        options.tls_cert = argv[1];
        options.tls_key = argv[2];
    }
    weir::test::ServerUnderTest under_test(options);
    const auto started = under_test.server.start();
    if (!started) {
        std::fprintf(stderr, "%s\n", started.error().message.c_str());
        return 1;
    }
    std::cout << under_test.server.url() << std::endl;
    while (std::cin.get() != std::char_traits<char>::eof()) {
    }
    return 0;
}
