#include "plugin/protocol/dns.h"

#include <criterion/criterion.h>

#include <random>
#include <string_view>

using namespace weir::protocol;

namespace {

using Bytes = std::vector<std::uint8_t>;

// Writes messages by the letter of RFC 1035, without the code under test.
struct Writer {
    Bytes bytes;

    Writer& u16(unsigned v) {
        bytes.push_back(static_cast<std::uint8_t>(v >> 8));
        bytes.push_back(static_cast<std::uint8_t>(v));
        return *this;
    }
    Writer& u32(unsigned v) { return u16(v >> 16).u16(v & 0xffff); }
    Writer& header(unsigned id, unsigned flags, unsigned qd, unsigned an, unsigned ar = 0) {
        return u16(id).u16(flags).u16(qd).u16(an).u16(0).u16(ar);
    }
    Writer& name(std::string_view text) {
        while (!text.empty()) {
            const std::size_t dot = std::min(text.find('.'), text.size());
            bytes.push_back(static_cast<std::uint8_t>(dot));
            bytes.insert(bytes.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(dot));
            text.remove_prefix(std::min(dot + 1, text.size()));
        }
        bytes.push_back(0);
        return *this;
    }
    Writer& pointer(std::size_t at) { return u16(0xc000 | static_cast<unsigned>(at)); }
    Writer& question(std::string_view text, unsigned type) { return name(text).u16(type).u16(1); }
    Writer& fixed(unsigned type, unsigned ttl, std::size_t size) {
        return u16(type).u16(1).u32(ttl).u16(static_cast<unsigned>(size));
    }
    Writer& raw(std::initializer_list<std::uint8_t> more) {
        bytes.insert(bytes.end(), more);
        return *this;
    }
};

Bytes answer_with_chain() {
    Writer out;
    out.header(7, 0x8180, 1, 3).question("WWW.Example.com", kDnsA);
    Writer target;
    target.name("edge.cdn.net");
    out.pointer(12).fixed(kDnsCname, 300, target.bytes.size());
    const std::size_t at = out.bytes.size();
    out.name("edge.cdn.net");
    out.pointer(at).fixed(kDnsA, 60, 4).raw({93, 184, 216, 34});
    out.pointer(at).fixed(kDnsA, 30, 4).raw({93, 184, 216, 35});
    return out.bytes;
}

Bytes with_length(const Bytes& message) {
    Writer out;
    out.u16(static_cast<unsigned>(message.size()));
    out.bytes.insert(out.bytes.end(), message.begin(), message.end());
    return out.bytes;
}

}  // namespace

Test(dns, a_query) {
    Writer out;
    out.header(0xbeef, 0x0100, 1, 0, 1).question("a.Example.ORG", kDnsAaaa);
    out.raw({0}).fixed(41, 0, 0);  // OPT
    const auto message = parse_dns(out.bytes);
    cr_assert(message.has_value());
    cr_assert_eq(message->id, 0xbeef);
    cr_assert_not(message->is_response);
    cr_assert_not(message->is_cut);
    cr_assert(message->name == "a.example.org");
    cr_assert_eq(message->type, kDnsAaaa);
    cr_assert(message->records.empty());
}

Test(dns, a_chain_of_aliases_leads_to_addresses) {
    const auto message = parse_dns(answer_with_chain());
    cr_assert(message.has_value());
    cr_assert(message->is_response);
    cr_assert_eq(message->rcode, 0);
    cr_assert_eq(message->records.size(), 3u);
    cr_assert(message->records[0].target == "edge.cdn.net");
    const auto answers = dns_answers(*message);
    cr_assert_eq(answers.size(), 2u);
    cr_assert_eq(answers[0].ttl, 60u, "the alias lives longer");
    cr_assert_eq(answers[1].ttl, 30u);
    cr_assert_eq(answers[0].address[10], 0xff, "IPv4 mapped");
    cr_assert_eq(answers[0].address[15], 34);
}

Test(dns, order_of_records_does_not_matter_and_strangers_are_no_answer) {
    Writer out;
    out.header(1, 0x8180, 1, 4).question("www.a", kDnsAaaa);
    Writer target;
    target.name("c");
    out.name("c").fixed(kDnsAaaa, 5, 16).raw({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    out.name("b").fixed(kDnsCname, 9, target.bytes.size()).name("c");
    target = {};
    target.name("b");
    out.name("www.a").fixed(kDnsCname, 9, target.bytes.size()).name("b");
    out.name("bank.example").fixed(kDnsA, 9, 4).raw({6, 6, 6, 6});
    const auto message = parse_dns(out.bytes);
    cr_assert(message.has_value());
    const auto answers = dns_answers(*message);
    cr_assert_eq(answers.size(), 1u);
    cr_assert_eq(answers[0].address[0], 0x20);
    cr_assert_eq(answers[0].ttl, 5u);
}

Test(dns, a_circle_of_aliases_ends) {
    Writer out;
    out.header(1, 0x8180, 1, 2).question("a", kDnsA);
    out.name("a").fixed(kDnsCname, 9, 3).name("b");
    out.name("b").fixed(kDnsCname, 9, 3).name("a");
    cr_assert(dns_answers(*parse_dns(out.bytes)).empty());
}

Test(dns, errors_and_their_extension) {
    Writer nx;
    nx.header(1, 0x8183, 1, 0).question("no.such", kDnsA);
    cr_assert_eq(parse_dns(nx.bytes)->rcode, 3);
    Writer bad_version;
    bad_version.header(1, 0x8180, 1, 0, 1)
        .question("x", kDnsA)
        .raw({0})
        .u16(41)
        .u16(1232)
        .u32(0x01000000)
        .u16(0);
    cr_assert_eq(parse_dns(bad_version.bytes)->rcode, 16);
    Writer no_question;
    no_question.header(1, 0x8181, 0, 0);
    const auto message = parse_dns(no_question.bytes);
    cr_assert(message.has_value() && message->name.empty());
    cr_assert_eq(message->rcode, 1);
}

Test(dns, names_are_shown_as_text) {
    Writer out;
    out.header(1, 0x0100, 1, 0).raw({5, 'a', '.', 'b', 0, 0xff, 1, '\\', 0}).u16(1).u16(1);
    cr_assert(parse_dns(out.bytes)->name == "a\\.b\\000\\255.\\\\");
    Writer root;
    root.header(1, 0x0100, 1, 0).question("", 2);
    cr_assert(parse_dns(root.bytes)->name == ".");
}

Test(dns, every_beginning_of_a_message_is_safe) {
    const Bytes whole = answer_with_chain();
    const std::size_t question_end = 12 + 17 + 4;
    for (std::size_t n = 0; n <= whole.size(); n++) {
        const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
        const auto message = parse_dns(cut);
        cr_assert_eq(message.has_value(), n >= question_end, "%zu", n);
        if (message) cr_assert_eq(message->is_cut, n < whole.size(), "%zu", n);
    }
    const Bytes most(whole.begin(), whole.end() - 16);
    cr_assert_eq(parse_dns(most)->records.size(), 2u, "what is whole is read");
}

Test(dns, hostile_names) {
    Writer self;  // a pointer to itself
    self.header(1, 0x0100, 1, 0).pointer(12).u16(1).u16(1);
    cr_assert_not(parse_dns(self.bytes).has_value());
    Writer forward;
    forward.header(1, 0x0100, 1, 0).pointer(20).u16(1).u16(1).name("later");
    cr_assert_not(parse_dns(forward.bytes).has_value());
    Writer circle;  // a label, then a pointer to that label
    circle.header(1, 0x0100, 1, 0).raw({1, 'a'}).pointer(12).u16(1).u16(1);
    cr_assert_not(parse_dns(circle.bytes).has_value());
    Writer reserved;
    reserved.header(1, 0x0100, 1, 0).raw({0x41, 'a', 0}).u16(1).u16(1);
    cr_assert_not(parse_dns(reserved.bytes).has_value());
    Writer lengthy;
    lengthy.header(1, 0x0100, 1, 0);
    for (int i = 0; i < 5; i++) {
        lengthy.raw({63});
        lengthy.bytes.insert(lengthy.bytes.end(), 63, 'x');
    }
    lengthy.raw({0}).u16(1).u16(1);
    cr_assert_not(parse_dns(lengthy.bytes).has_value());
    Writer counts;
    counts.header(1, 0x8180, 1, 0xffff, 0xffff).question("a", kDnsA);
    cr_assert(parse_dns(counts.bytes)->is_cut);
    Writer questions;
    questions.header(1, 0x0100, 0xffff, 0).question("a", kDnsA);
    cr_assert_not(parse_dns(questions.bytes).has_value());
}

Test(dns, any_bytes_are_safe) {
    std::mt19937 random(1);
    const Bytes whole = answer_with_chain();
    for (int i = 0; i < 200000; i++) {
        Bytes bytes = whole;
        for (auto flips = random() % 6; flips > 0; flips--)
            bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
        if (const auto message = parse_dns(bytes)) {
            cr_assert_leq(message->name.size(), 4u * 255);
            cr_assert_leq(dns_answers(*message).size(), message->records.size());
        }
    }
}

Test(dns_stream, any_split_gives_the_same_messages) {
    const Bytes one = with_length(answer_with_chain());
    Bytes two = one;
    two.insert(two.end(), one.begin(), one.end());
    for (std::size_t a = 0; a <= two.size(); a++) {
        for (std::size_t b = a; b <= two.size(); b += 7) {
            DnsStream stream;
            int messages = 0;
            const auto count = [&](std::span<const std::uint8_t> m) {
                messages += m.size() == one.size() - 2;
            };
            const std::span<const std::uint8_t> all(two);
            stream.feed(all.first(a), false, count);
            stream.feed(all.subspan(a, b - a), false, count);
            stream.feed(all.subspan(b), false, count);
            cr_assert_eq(messages, 2, "%zu %zu", a, b);
            cr_assert(stream.is_idle());
        }
    }
}

Test(dns_stream, a_cut_message_is_handed_over_as_far_as_it_is_there) {
    const Bytes one = with_length(answer_with_chain());
    DnsStream stream;
    std::vector<std::size_t> sizes;
    const auto note = [&](std::span<const std::uint8_t> m) { sizes.push_back(m.size()); };
    stream.feed(std::span(one).first(50), true, note);
    stream.feed(std::span(one).subspan(60), false, note);  // nobody knows where this belongs
    stream.feed(std::span(one).first(2), false, note);
    stream.feed(std::span(one).subspan(2), false, note);
    cr_assert_eq(sizes.size(), 2u);
    cr_assert_eq(sizes[0], 48u);
    cr_assert_eq(sizes[1], one.size() - 2);
}

Test(dns_stream, a_long_message_is_kept_in_part) {
    Writer big;
    big.header(1, 0x8180, 1, 3000).question("a", kDnsA);
    for (int i = 0; i < 3000; i++) big.pointer(12).fixed(kDnsA, 1, 4).raw({1, 2, 3, 4});
    const Bytes one = with_length(big.bytes);
    DnsStream stream;
    std::size_t size = 0;
    stream.feed(one, false, [&](std::span<const std::uint8_t> m) { size = m.size(); });
    cr_assert_eq(size, 4096u);
    cr_assert(stream.is_idle());
}

Test(dns_stream, finds_its_way_back) {
    const Bytes one = with_length(answer_with_chain());
    DnsStream stream;
    int messages = 0;
    const auto count = [&](std::span<const std::uint8_t>) { messages++; };
    stream.feed(std::span(one).subspan(5), false, count);  // joined in the middle of a message
    stream.feed(std::span(one).subspan(9), false, count);
    stream.feed(Bytes(20000), false, count);
    cr_assert_eq(messages, 0);
    stream.feed(one, false, count);
    stream.feed(one, false, count);
    cr_assert_eq(messages, 2);
}
