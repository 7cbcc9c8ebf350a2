#include "lmdb-store/entries.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "lmdb-store/histogram_column.h"

namespace weir::store {
namespace {

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

constexpr std::string_view kStateKey = "state";

// A limit of the key, which numbers blocks with 16 bits.
constexpr std::size_t kMaxBlocks = 0xffff;

bool texts_in_range(const Batch& batch, const Flow& flow) {
    const std::size_t texts = batch.strings.size();
    return flow.process < texts && flow.peer_process < texts && flow.container < texts && flow.domain < texts;
}
bool is_sound(const Batch& batch, const L4Row& row) {
    return row.flow < batch.flows.size() && is_storable(row.rtt) && is_storable(row.rtt_var);
}
template <typename Row>
bool is_sound_request(const Batch& batch, const Row& row) {
    const std::size_t texts = batch.strings.size();
    return row.flow < batch.flows.size() && row.method < texts && row.path < texts && row.route < texts;
}
bool is_sound(const Batch& batch, const L7Row& row) {
    return is_sound_request(batch, row) && is_storable(row.latency);
}
bool is_sound(const Batch& batch, const DnsRow& row) {
    return row.flow < batch.flows.size() && is_storable(row.latency);
}
bool is_sound(const Batch& batch, const SlowRow& row) { return is_sound_request(batch, row); }

int put_blocks(Transaction& transaction, MDB_dbi database, Key key, Part part,
               const std::vector<Block>& blocks) {
    key.part = part;
    for (std::size_t i = 0; i < blocks.size(); i++) {
        key.block = static_cast<std::uint16_t>(i);
        if (const int code = transaction.put(database, encode_key(key), blocks[i], MDB_APPEND); code != 0)
            return code;
    }
    return 0;
}

template <typename Row>
void set_rows(NewEntry& out, const RowRun<Row>& run) {
    out.set(RowColumns<Row>::kPart, run.size(), encode_rows(run));
}

bool same_entry(const Key& a, const Key& b) { return a.time == b.time && a.sequence == b.sequence; }

}  // namespace

void NewEntry::set(Part part, std::size_t rows, std::vector<Block> blocks_of_part) {
    header.size(part) = {rows, static_cast<std::uint32_t>(blocks_of_part.size())};
    const auto at = std::find(kRowParts.begin(), kRowParts.end(), part) - kRowParts.begin();
    blocks[static_cast<std::size_t>(at)] = std::move(blocks_of_part);
}

std::uint64_t NewEntry::bytes() const {
    std::uint64_t out = 0;
    for (const auto& part : blocks) {
        for (const Block& block : part) out += block.size();
    }
    return out;
}

NewEntry make_entry(const Batch& batch, const RowRuns& runs, std::uint64_t segment) {
    NewEntry out;
    out.header.begin_ns = batch.begin_ns;
    out.header.end_ns = batch.end_ns;
    out.header.host = batch.host;
    out.header.service = batch.service;
    out.header.segment = segment;
    out.header.losses = batch.losses;
    out.header.reconciled = batch.reconciled;
    const auto encode = [&](const auto&... run) { (set_rows(out, run), ...); };
    std::apply(encode, runs.runs);
    return out;
}

Status check_batch(const Batch& batch) {
    const auto refuse = [](const char* why) {
        return fail(ErrorCode::invalid_argument, std::string("the store cannot take an interval ") + why);
    };
    if (!is_time(batch.end_ns)) return refuse("without an end time");
    const auto sound = [&](const auto& row) { return is_sound(batch, row); };
    if (!std::all_of(batch.flows.begin(), batch.flows.end(),
                     [&](const Flow& f) { return texts_in_range(batch, f); }) ||
        !std::all_of(batch.l4.begin(), batch.l4.end(), sound) ||
        !std::all_of(batch.l7.begin(), batch.l7.end(), sound) ||
        !std::all_of(batch.dns.begin(), batch.dns.end(), sound) ||
        !std::all_of(batch.slow.begin(), batch.slow.end(), sound)) {
        return refuse("whose rows refer to what is not in it");
    }
    return {};
}

int put_entry(Transaction& transaction, Table table, std::uint64_t sequence, const NewEntry& entry) {
    for (const auto& blocks : entry.blocks) {
        if (blocks.size() > kMaxBlocks) return MDB_BAD_VALSIZE;
    }
    Key key;
    key.time = static_cast<std::uint64_t>(entry.header.end_ns);
    key.sequence = sequence;
    {
        Cursor cursor;
        int code = cursor.open(transaction, table);
        if (code == 0) code = cursor.move(MDB_LAST);
        if (code != 0 && code != MDB_NOTFOUND) return code;
        if (const auto last = code == 0 ? decode_key(cursor.key()) : std::nullopt)
            key.time = std::max(key.time, last->time);
    }
    const MDB_dbi database = transaction.databases()[table];
    std::vector<std::uint8_t> header;
    encode_header(entry.header, header);
    int code = transaction.put(database, encode_key(key), header, MDB_APPEND);
    for (std::size_t i = 0; i < kRowParts.size() && code == 0; i++)
        code = put_blocks(transaction, database, key, kRowParts[i], entry.blocks[i]);
    return code;
}

int first_entry(const Transaction& transaction, Table table, Key& key, std::optional<EntryHeader>& header) {
    Cursor cursor;
    int code = cursor.open(transaction, table);
    if (code == 0) code = cursor.move(MDB_FIRST);
    if (code != 0) return code;
    header.reset();
    const auto found = decode_key(cursor.key());
    if (!found) return MDB_CORRUPTED;
    key = *found;
    if (key.part == Part::header) header = decode_header(cursor.value());
    return 0;
}

int erase_entry(Transaction& transaction, Table table, const Key& key) {
    Cursor cursor;
    int code = cursor.open(transaction, table);
    if (code != 0) return code;
    const Key begin{key.time, key.sequence, Part::header, 0};
    while ((code = cursor.seek(begin)) == 0) {
        const auto found = decode_key(cursor.key());
        if (!found || !same_entry(*found, key)) return 0;
        if ((code = cursor.erase()) != 0) return code;
    }
    return code == MDB_NOTFOUND ? 0 : code;
}

int get_block(const Transaction& transaction, const Entry& entry, Part part, std::uint32_t block,
              Bytes& out) {
    Key key = entry.key;
    key.part = part;
    key.block = static_cast<std::uint16_t>(block);
    return transaction.get(transaction.databases()[entry.table], encode_key(key), out);
}

int list_entries(const Transaction& transaction, Table table, std::uint64_t from, std::vector<Entry>& out,
                 std::vector<Key>& damaged, std::span<const Entry> instead) {
    constexpr auto kLastPart = static_cast<Part>(0xff);
    Cursor cursor;
    int code = cursor.open(transaction, table);
    if (code != 0) return code;
    Key current;  // the entry that the cursor is in
    auto holder = instead.begin();
    bool has_jumped = false;
    code = cursor.seek({from, 0, Part::header, 0});
    for (bool stays = false; code == 0; code = stays ? code : cursor.next()) {
        stays = false;
        const auto key = decode_key(cursor.key());
        if (!key) return MDB_CORRUPTED;
        for (; holder != instead.end() && holder->header.last_sequence < key->sequence; ++holder)
            has_jumped = false;
        if (holder != instead.end() && holder->header.first_sequence <= key->sequence) {
            // Its last minute has this key's time, or after steps of the clock a later one.
            if (std::exchange(has_jumped, true)) continue;
            code = cursor.seek({holder->key.time, holder->header.last_sequence, kLastPart, 0xffff});
            stays = true;
            continue;
        }
        if (same_entry(*key, current)) continue;
        current = *key;
        auto header = key->part == Part::header ? decode_header(cursor.value()) : std::nullopt;
        if (header) {
            out.push_back({table, *key, std::move(*header)});
        } else {
            damaged.push_back({key->time, key->sequence, Part::header, 0});
        }
    }
    return code == MDB_NOTFOUND ? 0 : code;
}

int put_segment_block(Transaction& transaction, const SegmentWriter::NewBlock& block) {
    const MDB_dbi database = transaction.databases().segment;
    for (const std::uint32_t first : block.replaced) {
        SegmentKey key = block.key;
        key.first = first;
        if (const int code = transaction.erase(database, encode_segment_key(key)); code != 0) return code;
    }
    return transaction.put(database, encode_segment_key(block.key), block.block);
}

int erase_segments(Transaction& transaction, std::uint64_t before) {
    Cursor cursor;
    int code = cursor.open(transaction, transaction.databases().segment);
    while (code == 0 && (code = cursor.move(MDB_FIRST)) == 0) {
        const auto key = decode_segment_key(cursor.key());
        if (key && key->segment >= before) return 0;
        code = cursor.erase();
    }
    return code == MDB_NOTFOUND ? 0 : code;
}

int last_segment(const Transaction& transaction, std::uint64_t& out) {
    out = 0;
    Cursor cursor;
    int code = cursor.open(transaction, transaction.databases().segment);
    if (code == 0) code = cursor.move(MDB_LAST);
    if (code == 0) {
        if (const auto key = decode_segment_key(cursor.key())) out = key->segment;
    }
    return code == MDB_NOTFOUND ? 0 : code;
}

int get_state(const Transaction& transaction, std::optional<State>& out) {
    Bytes bytes;
    const int code = transaction.get(transaction.databases().meta, bytes_of(kStateKey), bytes);
    out = code == 0 ? decode_state(bytes) : std::nullopt;
    return code == MDB_NOTFOUND ? 0 : code;
}

int put_state(Transaction& transaction, const State& state) {
    return transaction.put(transaction.databases().meta, bytes_of(kStateKey), encode_state(state));
}

}  // namespace weir::store
