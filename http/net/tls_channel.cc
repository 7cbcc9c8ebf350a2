// TLS with OpenSSL on sockets that do not block.
//
// OpenSSL writes with write(2), which raises SIGPIPE when the peer is gone; the threads that come here
// block every signal (start_thread), and a blocked SIGPIPE stays with its thread.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>

#include "http/net/channel.h"

namespace weir::http {
namespace {

template <auto release>
struct Releases {
    template <typename T>
    void operator()(T* object) const {
        release(object);
    }
};
using Context = std::unique_ptr<SSL_CTX, Releases<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Releases<SSL_free>>;

class TlsChannel : public Channel {
public:
    TlsChannel(Session session, int fd) : session_(std::move(session)), fd_(fd) {}

    Io read(char* into, std::size_t size) override {
        ERR_clear_error();
        std::size_t bytes = 0;
        const int result = SSL_read_ex(session_.get(), into, size, &bytes);
        return io_of(result, bytes);
    }

    Io write(std::string_view bytes) override {
        if (bytes.empty()) return {Io::Outcome::done, 0};
        ERR_clear_error();
        std::size_t written = 0;
        const int result = SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &written);
        return io_of(result, written);
    }

    void finish() override {
        ERR_clear_error();
        if (!failed_ && SSL_is_init_finished(session_.get()) == 1) SSL_shutdown(session_.get());
        ::shutdown(fd_, SHUT_WR);
    }

private:
    Io io_of(int result, std::size_t bytes) {
        if (result == 1) return {Io::Outcome::done, bytes};
        switch (SSL_get_error(session_.get(), result)) {
            case SSL_ERROR_WANT_READ: return {Io::Outcome::want_read, 0};
            case SSL_ERROR_WANT_WRITE: return {Io::Outcome::want_write, 0};
            default: failed_ = true; return {Io::Outcome::closed, 0};
        }
    }

    Session session_;
    int fd_;
    bool failed_ = false;  // after a fatal error SSL_shutdown must not be called
};

class TlsFactory : public ChannelFactory {
public:
    explicit TlsFactory(Context context) : context_(std::move(context)) {}

    std::unique_ptr<Channel> make(int fd) const override {
        Session session(SSL_new(context_.get()));
        if (!session || SSL_set_fd(session.get(), fd) != 1) return nullptr;
        SSL_set_accept_state(session.get());
        return std::make_unique<TlsChannel>(std::move(session), fd);
    }
    bool is_tls() const override { return true; }

private:
    Context context_;
};

tl::unexpected<Error> cannot_use(const char* what, const std::string& file) {
    const unsigned long code = ERR_peek_last_error();
    const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    return fail(ErrorCode::bad_config, std::string("cannot use the TLS ") + what + " " + file + ": " +
                                           (reason != nullptr ? reason : "unknown reason"));
}

}  // namespace

Result<std::unique_ptr<ChannelFactory>> tls_channels(const std::string& certificate_file,
                                                     const std::string& key_file) {
    Context context(SSL_CTX_new(TLS_server_method()));
    if (!context) return fail(ErrorCode::no_memory, "cannot set up TLS");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // An encrypted key would make OpenSSL ask on the host's terminal.
    SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return 0; });
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1) {
        return cannot_use("certificate", certificate_file);
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context.get()) != 1) {
        return cannot_use("key", key_file);
    }
    return std::unique_ptr<ChannelFactory>(std::make_unique<TlsFactory>(std::move(context)));
}

}  // namespace weir::http
