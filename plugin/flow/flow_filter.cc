#include "plugin/flow/flow_filter.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "plugin/flow/address.h"

namespace weir {

// A value of a flow. What cannot be has not been compiled: each kind answers one type.
struct FlowFilter::Node {
    virtual ~Node() = default;
    virtual bool truth(const FilteredFlow&) const { return false; }
    virtual std::int64_t number(const FilteredFlow&) const { return 0; }
    virtual std::string_view text(const FilteredFlow&) const { return {}; }
    virtual std::optional<Address> address(const FilteredFlow&) const { return std::nullopt; }
};

namespace {

using Node = FlowFilter::Node;
using NodePtr = std::unique_ptr<const Node>;

enum class Type : std::uint8_t { truth, number, text, address };

std::string_view name_of(Type type) {
    switch (type) {
        case Type::truth: return "true or false";
        case Type::number: return "a number";
        case Type::text: return "text";
        case Type::address: return "an address";
    }
    return "";
}

Address address_of(const __u8 (&bytes)[16]) {
    Address out;
    std::copy(std::begin(bytes), std::end(bytes), out.bytes.begin());
    return out;
}

bool is_v4(const weir_conn_id& id) { return address_of(id.remote).is_v4(); }

template <typename Function>
struct Truth final : Node {
    explicit Truth(Function f) : function(std::move(f)) {}
    bool truth(const FilteredFlow& flow) const override { return function(flow); }
    const Function function;
};

template <typename Function>
struct Number final : Node {
    explicit Number(Function f) : function(std::move(f)) {}
    std::int64_t number(const FilteredFlow& flow) const override { return function(flow); }
    const Function function;
};

template <typename Function>
struct Text final : Node {
    explicit Text(Function f) : function(std::move(f)) {}
    std::string_view text(const FilteredFlow& flow) const override { return function(flow); }
    const Function function;
};

template <typename Function>
struct AddressOf final : Node {
    explicit AddressOf(Function f) : function(std::move(f)) {}
    std::optional<Address> address(const FilteredFlow& flow) const override { return function(flow); }
    const Function function;
};

// What has been read, with its type and where it stands. Of literals the text is kept: whether "10.0.0.1" is
// text or an address is up to what it meets.
struct Value {
    Type type = Type::truth;
    NodePtr node;
    std::optional<std::string> literal;
    std::size_t at = 0;
    bool is_process = false;               // process_name
    std::vector<std::string> processes{};  // names that are enough to make it true
};

struct Rules {
    std::vector<NodePtr> nodes;
    std::vector<std::string> processes;
};

template <template <typename> typename Kind, typename Function>
NodePtr make(Function function) {
    return std::make_unique<const Kind<Function>>(std::move(function));
}

struct Name {
    std::string_view name;
    Type type;
    NodePtr (*make_node)();
};

template <bool kLocal, bool kV4>
NodePtr make_address() {
    return make<AddressOf>([](const FilteredFlow& flow) -> std::optional<Address> {
        if (is_v4(flow.id) != kV4) return std::nullopt;
        return address_of(kLocal ? flow.id.local : flow.id.remote);
    });
}

constexpr std::array kNames = {
    Name{"tcp", Type::truth,
         [] { return make<Truth>([](const FilteredFlow& f) { return f.id.transport == IPPROTO_TCP; }); }},
    Name{"udp", Type::truth,
         [] { return make<Truth>([](const FilteredFlow& f) { return f.id.transport == IPPROTO_UDP; }); }},
    Name{"ipv4", Type::truth, [] { return make<Truth>([](const FilteredFlow& f) { return is_v4(f.id); }); }},
    Name{"ipv6", Type::truth, [] { return make<Truth>([](const FilteredFlow& f) { return !is_v4(f.id); }); }},
    Name{"src_port", Type::number,
         [] { return make<Number>([](const FilteredFlow& f) { return std::int64_t{f.id.local_port}; }); }},
    Name{"dst_port", Type::number,
         [] { return make<Number>([](const FilteredFlow& f) { return std::int64_t{f.id.remote_port}; }); }},
    Name{"pid", Type::number,
         [] { return make<Number>([](const FilteredFlow& f) { return std::int64_t{f.id.pid}; }); }},
    Name{"ip_saddr", Type::address, make_address<true, true>},
    Name{"ip_daddr", Type::address, make_address<false, true>},
    Name{"ip6_saddr", Type::address, make_address<true, false>},
    Name{"ip6_daddr", Type::address, make_address<false, false>},
    Name{"process_name", Type::text,
         [] {
             return make<Text>([](const FilteredFlow& f) {
                 return std::string_view(f.id.process, strnlen(f.id.process, sizeof(f.id.process)));
             });
         }},
    Name{"k8s_src_pod", Type::text,
         [] { return make<Text>([](const FilteredFlow& f) { return f.src_pod; }); }},
    Name{"k8s_dst_pod", Type::text,
         [] { return make<Text>([](const FilteredFlow& f) { return f.dst_pod; }); }},
};

// The first bits of an address, IPv4 as mapped.
struct Network {
    Address address;
    unsigned bits = 0;

    static std::optional<Network> parse(std::string_view text) {
        const std::size_t slash = text.find('/');
        const auto address = Address::parse(text.substr(0, slash));
        if (!address || slash == std::string_view::npos) return std::nullopt;
        const unsigned most = address->is_v4() && text.find(':') == std::string_view::npos ? 32 : 128;
        const std::string_view digits = text.substr(slash + 1);
        unsigned bits = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
        if (error != std::errc() || end != digits.data() + digits.size() || bits > most) return std::nullopt;
        return Network{*address, bits + 128 - most};
    }

    bool contains(const Address& other) const {
        const std::size_t whole = bits / 8;
        if (!std::equal(address.bytes.begin(), address.bytes.begin() + whole, other.bytes.begin()))
            return false;
        const unsigned rest = bits % 8;
        return rest == 0 || (address.bytes[whole] ^ other.bytes[whole]) >> (8 - rest) == 0;
    }
};

enum class Token : std::uint8_t { end, separator, name, number, text, symbol, wrong };

// Cuts the text into tokens. Line ends are tokens, and the parser skips them where a line may be broken.
class Lexer {
public:
    explicit Lexer(std::string_view text) : text_(text) { next(); }

    Token token() const { return token_; }
    std::string_view word() const { return word_; }  // of text: without its quotes, escapes as they stand
    std::size_t at() const { return at_; }

    void next() {
        skip_blanks();
        at_ = end_;
        if (end_ >= text_.size()) return set(Token::end, 0);
        const char c = text_[end_];
        if (c == ';' || c == '\n') return set(Token::separator, 1);
        if (is_digit(c)) return set(Token::number, run_of(is_word));
        if (is_word(c)) return set(Token::name, run_of(is_word));
        if (c == '"' || c == '\'') return quoted(c);
        const std::string_view two = text_.substr(end_, 2);
        constexpr std::string_view kTwo[] = {"&&", "||", "==", "!=", "<=", ">="};
        if (std::find(std::begin(kTwo), std::end(kTwo), two) != std::end(kTwo)) return set(Token::symbol, 2);
        set(std::string_view("!<>(),").find(c) != std::string_view::npos ? Token::symbol : Token::wrong, 1);
    }

    bool is(std::string_view symbol) const { return token_ == Token::symbol && word_ == symbol; }

    void skip_line_ends() {
        while (token_ == Token::separator && word_ == "\n") next();
    }

private:
    static bool is_digit(char c) { return c >= '0' && c <= '9'; }
    static bool is_word(char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    }

    void skip_blanks() {
        while (end_ < text_.size() && (text_[end_] == ' ' || text_[end_] == '\t' || text_[end_] == '\r'))
            end_++;
        if (end_ < text_.size() && text_[end_] == '#') end_ = std::min(text_.find('\n', end_), text_.size());
    }

    std::size_t run_of(bool (*belongs)(char)) const {
        std::size_t n = 0;
        while (end_ + n < text_.size() && belongs(text_[end_ + n])) n++;
        return n;
    }

    void set(Token token, std::size_t length) {
        token_ = token;
        word_ = text_.substr(end_, length);
        end_ += length;
    }

    void quoted(char quote) {
        std::size_t n = 1;
        while (end_ + n < text_.size() && text_[end_ + n] != quote && text_[end_ + n] != '\n') {
            n += text_[end_ + n] == '\\' ? 2 : 1;
        }
        if (end_ + n >= text_.size() || text_[end_ + n] != quote) return set(Token::wrong, 1);
        set(Token::text, n + 1);
        word_ = word_.substr(1, n - 1);
    }

    std::string_view text_;
    std::size_t end_ = 0;
    std::size_t at_ = 0;
    Token token_ = Token::end;
    std::string_view word_;
};

std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i++) {
        if (text[i] == '\\' && i + 1 < text.size()) i++;
        out += text[i];
    }
    return out;
}

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text), in_(text) {}

    Result<Rules> rules() {
        Rules out;
        for (;;) {
            while (in_.token() == Token::separator) in_.next();
            if (in_.token() == Token::end) return out;
            auto rule = expect(either(), Type::truth);
            if (!rule) return tl::unexpected(rule.error());
            out.nodes.push_back(std::move(rule->node));
            append(out.processes, rule->processes);
            if (in_.token() != Token::separator && in_.token() != Token::end) {
                return wrong(in_.at(), "an operator, ; or the end of the line is expected");
            }
        }
    }

private:
    using Parsed = Result<Value>;

    static void append(std::vector<std::string>& to, const std::vector<std::string>& from) {
        to.insert(to.end(), from.begin(), from.end());
    }

    Parsed either() {
        return chain("||", &Parser::both, [](NodePtr a, NodePtr b) {
            return make<Truth>([a = std::move(a), b = std::move(b)](const FilteredFlow& flow) {
                return a->truth(flow) || b->truth(flow);
            });
        });
    }

    Parsed both() {
        return chain("&&", &Parser::negation, [](NodePtr a, NodePtr b) {
            return make<Truth>([a = std::move(a), b = std::move(b)](const FilteredFlow& flow) {
                return a->truth(flow) && b->truth(flow);
            });
        });
    }

    Parsed chain(std::string_view symbol, Parsed (Parser::*operand)(), NodePtr (*join)(NodePtr, NodePtr)) {
        Parsed left = (this->*operand)();
        while (left && in_.is(symbol)) {
            left = expect(std::move(left), Type::truth);
            if (!left) break;
            next_line();
            Parsed right = expect((this->*operand)(), Type::truth);
            if (!right) return right;
            left->node = join(std::move(left->node), std::move(right->node));
            left->literal.reset();
            if (symbol == "||") {
                append(left->processes, right->processes);
            } else {
                left->processes.clear();
            }
            if (++nodes_ > FlowFilter::kMaxNodes) return wrong(in_.at(), "there are too many terms");
        }
        return left;
    }

    Parsed negation() {
        if (!in_.is("!")) return comparison();
        const std::size_t at = in_.at();
        next_line();
        if (++depth_ > FlowFilter::kMaxDepth) return wrong(at, "nested too deeply");
        Parsed operand = expect(negation(), Type::truth);
        depth_--;
        if (!operand) return operand;
        operand->node = make<Truth>(
            [node = std::move(operand->node)](const FilteredFlow& flow) { return !node->truth(flow); });
        operand->at = at;
        operand->processes.clear();
        return operand;
    }

    Parsed comparison() {
        Parsed left = value();
        constexpr std::string_view kSymbols[] = {"==", "!=", "<=", ">=", "<", ">"};
        const auto symbol = std::find_if(std::begin(kSymbols), std::end(kSymbols),
                                         [&](std::string_view known) { return in_.is(known); });
        if (left && in_.token() == Token::wrong) {
            return wrong(in_.at(), "'" + std::string(in_.word()) + "' is no operator");
        }
        if (!left || symbol == std::end(kSymbols)) return left;
        const std::size_t at = in_.at();
        next_line();
        Parsed right = value();
        if (!right) return right;
        if (Status same = make_comparable(*left, *right, at); !same) return tl::unexpected(same.error());
        const bool orders = symbol->front() == '<' || symbol->front() == '>';
        if (orders && left->type != Type::number) return wrong(at, "only numbers are less or greater");
        left->processes = *symbol == "==" ? process_of(*left, *right) : std::vector<std::string>();
        left->is_process = false;
        left->node = compare(*symbol, left->type, std::move(left->node), std::move(right->node));
        left->type = Type::truth;
        left->literal.reset();
        return left;
    }

    static std::vector<std::string> process_of(const Value& left, const Value& right) {
        const Value& other = left.is_process ? right : left;
        const bool is_named = left.is_process != right.is_process && other.literal && !other.literal->empty();
        return is_named ? std::vector{*other.literal} : std::vector<std::string>();
    }

    Status make_comparable(Value& left, Value& right, std::size_t at) {
        for (auto [known, other] : {std::pair(&left, &right), std::pair(&right, &left)}) {
            if (known->type != Type::address || other->type != Type::text) continue;
            Parsed converted = as_address(std::move(*other));
            if (!converted) return tl::unexpected(converted.error());
            *other = std::move(*converted);
        }
        if (left.type == right.type) return {};
        return wrong(at, std::string(name_of(left.type)) + " cannot be compared with " +
                             std::string(name_of(right.type)));
    }

    static NodePtr compare(std::string_view symbol, Type type, NodePtr a, NodePtr b) {
        const auto made = [&](auto compares) {
            return make<Truth>([a = std::move(a), b = std::move(b), compares](const FilteredFlow& flow) {
                return compares(*a, *b, flow);
            });
        };
        const bool same = symbol == "==";
        if (type == Type::truth) {
            return made([same](const Node& x, const Node& y, const FilteredFlow& f) {
                return (x.truth(f) == y.truth(f)) == same;
            });
        }
        if (type == Type::text) {
            return made([same](const Node& x, const Node& y, const FilteredFlow& f) {
                return (x.text(f) == y.text(f)) == same;
            });
        }
        if (type == Type::address) {
            return made([same](const Node& x, const Node& y, const FilteredFlow& f) {
                return (x.address(f) == y.address(f)) == same;
            });
        }
        const auto numbers = [&](auto compares) {
            return made([compares](const Node& x, const Node& y, const FilteredFlow& f) {
                return compares(x.number(f), y.number(f));
            });
        };
        if (symbol == "<") return numbers(std::less<>());
        if (symbol == "<=") return numbers(std::less_equal<>());
        if (symbol == ">") return numbers(std::greater<>());
        if (symbol == ">=") return numbers(std::greater_equal<>());
        return same ? numbers(std::equal_to<>()) : numbers(std::not_equal_to<>());
    }

    Parsed value() {
        const std::size_t at = in_.at();
        if (++nodes_ > FlowFilter::kMaxNodes) return wrong(at, "there are too many terms");
        const std::string_view word = in_.word();
        switch (in_.token()) {
            case Token::number: return number(at, word);
            case Token::text: in_.next(); return text(at, unescaped(word));
            case Token::name: in_.next(); return named(at, word);
            case Token::symbol:
                if (in_.is("(")) return parenthesized(at);
                break;
            case Token::wrong:
                if (word == "\"" || word == "'") return wrong(at, "this quote is never closed");
                break;
            case Token::end:
            case Token::separator: break;
        }
        return wrong(at, "a value is expected");
    }

    Parsed number(std::size_t at, std::string_view digits) {
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (error != std::errc() || end != digits.data() + digits.size()) {
            return wrong(at, "\"" + std::string(digits.substr(0, 40)) + "\" is no number");
        }
        in_.next();
        return Value{Type::number, make<Number>([number](const FilteredFlow&) { return number; }), {}, at};
    }

    static Value text(std::size_t at, std::string text) {
        NodePtr node = make<Text>([text](const FilteredFlow&) { return std::string_view(text); });
        return {Type::text, std::move(node), std::move(text), at};
    }

    Parsed named(std::size_t at, std::string_view name) {
        if (name == "true" || name == "false") {
            const bool is_true = name == "true";
            return Value{
                Type::truth, make<Truth>([is_true](const FilteredFlow&) { return is_true; }), {}, at};
        }
        if (in_.is("(")) return call(at, name);
        const auto known =
            std::find_if(kNames.begin(), kNames.end(), [&](const Name& one) { return one.name == name; });
        if (known == kNames.end()) {
            return wrong(at, "\"" + std::string(name.substr(0, 40)) + "\" is not known");
        }
        return Value{known->type, known->make_node(), {}, at, name == "process_name"};
    }

    Parsed parenthesized(std::size_t at) {
        next_line();
        if (++depth_ > FlowFilter::kMaxDepth) return wrong(at, "nested too deeply");
        Parsed inner = either();
        depth_--;
        if (!inner) return inner;
        in_.skip_line_ends();
        if (!in_.is(")")) return wrong(at, "this ( is never closed");
        in_.next();
        return inner;
    }

    Parsed call(std::size_t at, std::string_view name) {
        if (name != "ipnet_contains" && name != "has_prefix") {
            return wrong(at, "there is no function \"" + std::string(name.substr(0, 40)) + "\"");
        }
        next_line();
        Parsed first = value();
        if (!first) return first;
        in_.skip_line_ends();
        if (!in_.is(","))
            return wrong(in_.at(), std::string(name) + " takes two values: a comma is expected");
        next_line();
        Parsed second = value();
        if (!second) return second;
        in_.skip_line_ends();
        if (!in_.is(")")) return wrong(in_.at(), std::string(name) + " takes two values: a ) is expected");
        in_.next();
        return name == "has_prefix" ? has_prefix(at, std::move(*first), std::move(*second))
                                    : ipnet_contains(at, std::move(*first), std::move(*second));
    }

    Parsed ipnet_contains(std::size_t at, Value network, Value address) {
        if (!network.literal) return wrong(network.at, "a network is expected, as in \"10.0.0.0/8\"");
        const auto parsed = Network::parse(*network.literal);
        if (!parsed) return wrong(network.at, "\"" + network.literal->substr(0, 60) + "\" is no network");
        Parsed other = as_address(std::move(address));
        if (!other) return other;
        return Value{Type::truth,
                     make<Truth>([net = *parsed, node = std::move(other->node)](const FilteredFlow& flow) {
                         const auto found = node->address(flow);
                         return found && net.contains(*found);
                     }),
                     {},
                     at};
    }

    Parsed has_prefix(std::size_t at, Value whole, Value prefix) {
        if (prefix.type != Type::text) return wrong(prefix.at, "text is expected");
        if (whole.type != Type::text && whole.type != Type::address)
            return wrong(whole.at, "text is expected");
        const bool is_address = whole.type == Type::address;
        return Value{Type::truth,
                     make<Truth>([is_address, a = std::move(whole.node),
                                  b = std::move(prefix.node)](const FilteredFlow& flow) {
                         if (!is_address) return a->text(flow).starts_with(b->text(flow));
                         const auto address = a->address(flow);
                         return (address ? address->to_string() : std::string()).starts_with(b->text(flow));
                     }),
                     {},
                     at};
    }

    // Text that stands where an address is meant must be one. "" is the address of a flow that has none.
    Parsed as_address(Value value) {
        if (value.type == Type::address) return value;
        const auto address = value.literal ? Address::parse(*value.literal) : std::nullopt;
        if (!address && value.literal != "") return wrong(value.at, "an address is expected");
        NodePtr node = make<AddressOf>([address](const FilteredFlow&) { return address; });
        return Value{Type::address, std::move(node), {}, value.at};
    }

    Parsed expect(Parsed value, Type type) {
        if (!value || value->type == type) return value;
        return wrong(value->at, std::string(name_of(type)) + " is expected, this is " +
                                    std::string(name_of(value->type)));
    }

    void next_line() {
        in_.next();
        in_.skip_line_ends();
    }

    tl::unexpected<Error> wrong(std::size_t at, const std::string& what) const {
        const std::string_view before = text_.substr(0, at);
        const auto line = std::count(before.begin(), before.end(), '\n') + 1;
        const std::size_t begin = before.rfind('\n') + 1;  // npos + 1 is 0
        return fail(ErrorCode::bad_config, what + " (line " + std::to_string(line) + ", column " +
                                               std::to_string(at - begin + 1) + " of the rules)");
    }

    const std::string_view text_;
    Lexer in_;
    std::size_t depth_ = 0;
    std::size_t nodes_ = 0;
};

}  // namespace

FlowFilter::FlowFilter() = default;
FlowFilter::~FlowFilter() = default;
FlowFilter::FlowFilter(FlowFilter&&) noexcept = default;
FlowFilter& FlowFilter::operator=(FlowFilter&&) noexcept = default;

Result<FlowFilter> FlowFilter::parse(std::string_view text) {
    if (text.size() > kMaxText) return fail(ErrorCode::bad_config, "longer than 64 KiB");
    return Parser(text).rules().map([](Rules rules) {
        FlowFilter out;
        out.rules_ = std::move(rules.nodes);
        out.processes_ = std::move(rules.processes);
        return out;
    });
}

bool FlowFilter::leaves_out(const FilteredFlow& flow) const {
    return std::any_of(rules_.begin(), rules_.end(), [&](const auto& rule) { return rule->truth(flow); });
}

}  // namespace weir
