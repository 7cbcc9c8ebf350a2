// TLS with a certificate of its own.
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>
#include <csignal>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/http/fixture.h"

using namespace weir;
using namespace weir::test;

namespace {

// A key and a certificate for localhost in files that go with this.
class Certificate {
public:
    Certificate() {
        EVP_PKEY* const key = EVP_EC_gen("P-256");
        X509* const x509 = X509_new();
        X509_set_version(x509, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
        X509_gmtime_adj(X509_getm_notBefore(x509), -60);
        X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
        X509_set_pubkey(x509, key);
        X509_NAME* const name = X509_get_subject_name(x509);
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
        X509_set_issuer_name(x509, name);
        X509_sign(x509, key, EVP_sha256());
        FILE* file = fopen(cert.c_str(), "w");
        PEM_write_X509(file, x509);
        fclose(file);
        file = fopen(key_file.c_str(), "w");
        PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
        fclose(file);
        X509_free(x509);
        EVP_PKEY_free(key);
    }
    ~Certificate() {
        unlink(cert.c_str());
        unlink(key_file.c_str());
    }

    const std::string cert = "tls_test_" + std::to_string(getpid()) + ".cert.pem";
    const std::string key_file = "tls_test_" + std::to_string(getpid()) + ".key.pem";
};

http::ServerOptions tls_options(const Certificate& certificate) {
    http::ServerOptions out = ServerUnderTest::local("secret");
    out.tls_cert = certificate.cert;
    out.tls_key = certificate.key_file;
    return out;
}

std::unique_ptr<httplib::SSLClient> tls_client(const ServerUnderTest& under_test) {
    auto out = std::make_unique<httplib::SSLClient>("127.0.0.1", under_test.server.port());
    out->enable_server_certificate_verification(false);
    out->set_bearer_token_auth("secret");
    out->set_keep_alive(true);
    return out;
}

}  // namespace

Test(tls, answers_large_and_small) {
    const Certificate certificate;
    ServerUnderTest under_test(tls_options(certificate));
    under_test.start();
    cr_expect(under_test.server.url().starts_with("https://127.0.0.1:"));
    const auto client = tls_client(under_test);
    for (int i = 0; i < 3; i++) {
        const auto answer = client->Get("/api/v1/flows?limit=1000");
        cr_assert(answer);
        cr_expect_eq(answer->status, 200);
        cr_expect_eq(nlohmann::json::parse(answer->body)["data"].size(), 100u);
    }
    const auto session = client->Post("/api/v1/session");
    cr_assert(session);
    cr_expect(session->get_header_value("Set-Cookie").ends_with("; Secure"));
}

Test(tls, silence_garbage_and_plain_http_do_no_harm) {
    std::signal(SIGPIPE, SIG_DFL);
    const Certificate certificate;
    ServerUnderTest under_test(tls_options(certificate));
    under_test.start();
    std::vector<std::unique_ptr<RawConnection>> others;
    for (int i = 0; i < 60; i++) others.push_back(std::make_unique<RawConnection>(under_test.server.port()));
    others[0]->send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    others[1]->send(std::string(40000, '\x16'));
    others[2]->send("\x16\x03\x01\x02");
    others[2]->reset();
    const auto began = std::chrono::steady_clock::now();
    cr_expect_eq(tls_client(under_test)->Get("/healthz")->status, 200);
    cr_expect_lt((std::chrono::steady_clock::now() - began) / std::chrono::milliseconds(1), 1000);
    const auto stopping = std::chrono::steady_clock::now();
    under_test.server.stop();
    cr_expect_lt((std::chrono::steady_clock::now() - stopping) / std::chrono::milliseconds(1), 1000);
}

Test(tls, a_key_of_another_certificate_is_refused) {
    const Certificate first;
    const std::string kept = first.cert + ".kept";
    rename(first.cert.c_str(), kept.c_str());
    const Certificate second;
    http::ServerOptions options = tls_options(second);
    options.tls_cert = kept;
    ServerUnderTest under_test(options);
    const auto started = under_test.server.start();
    unlink(kept.c_str());
    cr_assert(!started.has_value());
    cr_expect_eq(started.error().code, ErrorCode::bad_config);
}
