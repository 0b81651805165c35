/* The limit of transaction decoding on this machine: what decode_columns does, in C, over a whole batch.
 *
 * RLP split, transaction hash, signing hash, secp256k1 recovery, sender address, EIP-7702 authorities, and the
 * scalar fields. It calls the very libsecp256k1 that coincurve brings, through the pointers it is handed, so
 * that both sides pay the same for the curve. Built and used by the benchmark only.
 */
#include <stdint.h>
#include <stddef.h>
#include <string.h>

typedef int (*parse_fn)(const void *ctx, void *sig, const uint8_t *input64, int recid);
typedef int (*recover_fn)(const void *ctx, void *pubkey, const void *sig, const uint8_t *digest);
typedef int (*serialize_fn)(const void *ctx, uint8_t *out, size_t *len, const void *pubkey, unsigned flags);

typedef struct {
    const void *ctx;
    parse_fn parse;
    recover_fn recover;
    serialize_fn serialize;
} curve_t;

/* One decoded transaction; `type` is 0xff where the input was refused. */
typedef struct {
    uint8_t hash[32], sender[20], to[20];
    uint8_t value[32], fee[32], tip[32], blob_fee[32], r[32], s[32];
    uint64_t chain_id, nonce, gas_limit, v;
    uint32_t data_offset, data_len, authorities, listed;
    uint8_t type, is_create;
} row_t;

size_t row_size(void) { return sizeof(row_t); }

/* ---- Keccak-256 ---------------------------------------------------------------------------------------- */

#define ROL(x, n) (((x) << (n)) | ((x) >> (64 - (n))))

static const uint64_t ROUND[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b,
    0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088,
    0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b, 0x8000000000008089,
    0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};

static void permute(uint64_t a[25]) {
    for (int i = 0; i < 24; i++) {
        uint64_t b[25], c[5], d[5];
        for (int x = 0; x < 5; x++) c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
        for (int x = 0; x < 5; x++) d[x] = c[(x + 4) % 5] ^ ROL(c[(x + 1) % 5], 1);
        b[0] = a[0] ^ d[0];
        b[1] = ROL(a[6] ^ d[1], 44);   b[2] = ROL(a[12] ^ d[2], 43);
        b[3] = ROL(a[18] ^ d[3], 21);  b[4] = ROL(a[24] ^ d[4], 14);
        b[5] = ROL(a[3] ^ d[3], 28);   b[6] = ROL(a[9] ^ d[4], 20);
        b[7] = ROL(a[10] ^ d[0], 3);   b[8] = ROL(a[16] ^ d[1], 45);
        b[9] = ROL(a[22] ^ d[2], 61);  b[10] = ROL(a[1] ^ d[1], 1);
        b[11] = ROL(a[7] ^ d[2], 6);   b[12] = ROL(a[13] ^ d[3], 25);
        b[13] = ROL(a[19] ^ d[4], 8);  b[14] = ROL(a[20] ^ d[0], 18);
        b[15] = ROL(a[4] ^ d[4], 27);  b[16] = ROL(a[5] ^ d[0], 36);
        b[17] = ROL(a[11] ^ d[1], 10); b[18] = ROL(a[17] ^ d[2], 15);
        b[19] = ROL(a[23] ^ d[3], 56); b[20] = ROL(a[2] ^ d[2], 62);
        b[21] = ROL(a[8] ^ d[3], 55);  b[22] = ROL(a[14] ^ d[4], 39);
        b[23] = ROL(a[15] ^ d[0], 41); b[24] = ROL(a[21] ^ d[1], 2);
        for (int y = 0; y < 25; y += 5)
            for (int x = 0; x < 5; x++) a[y + x] = b[y + x] ^ (~b[y + (x + 1) % 5] & b[y + (x + 2) % 5]);
        a[0] ^= ROUND[i];
    }
}

enum { RATE = 136 };

typedef struct {
    uint64_t state[25];
    uint8_t block[RATE];
    size_t filled;
} keccak_t;

static void absorb_block(keccak_t *k, const uint8_t *block) {
    for (int i = 0; i < RATE / 8; i++) {
        uint64_t word;
        memcpy(&word, block + 8 * i, 8);
        k->state[i] ^= word;
    }
    permute(k->state);
}

static void keccak_init(keccak_t *k) {
    memset(k->state, 0, sizeof k->state);
    k->filled = 0;
}

static void keccak_update(keccak_t *k, const uint8_t *data, size_t len) {
    if (k->filled) {
        size_t take = RATE - k->filled < len ? RATE - k->filled : len;
        memcpy(k->block + k->filled, data, take);
        k->filled += take;
        data += take;
        len -= take;
        if (k->filled < RATE) return;
        absorb_block(k, k->block);
        k->filled = 0;
    }
    for (; len >= RATE; data += RATE, len -= RATE) absorb_block(k, data);
    memcpy(k->block, data, len);
    k->filled = len;
}

static void keccak_final(keccak_t *k, uint8_t out[32]) {
    memset(k->block + k->filled, 0, RATE - k->filled);
    k->block[k->filled] = 0x01;
    k->block[RATE - 1] |= 0x80;
    absorb_block(k, k->block);
    memcpy(out, k->state, 32);
}

static void keccak(const uint8_t *data, size_t len, uint8_t out[32]) {
    keccak_t k;
    keccak_init(&k);
    keccak_update(&k, data, len);
    keccak_final(&k, out);
}

/* ---- RLP ----------------------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *start; /* of the payload */
    const uint8_t *head;  /* of the item */
    size_t len;
    int is_list;
} item_t;

/* Read one canonical item; return the byte after it, or NULL. */
static const uint8_t *read_item(const uint8_t *p, const uint8_t *end, item_t *out) {
    if (p >= end) return NULL;
    uint8_t prefix = *p;
    out->head = p;
    if (prefix < 0x80) {
        *out = (item_t){p, p, 1, 0};
        return p + 1;
    }
    out->is_list = prefix >= 0xc0;
    size_t len = prefix - (out->is_list ? 0xc0 : 0x80);
    p++;
    if (len > 55) {
        size_t size = len - 55;
        if (size > (size_t)(end - p) || size > 7 || p[0] == 0) return NULL;
        len = 0;
        for (size_t i = 0; i < size; i++) len = len << 8 | p[i];
        if (len <= 55) return NULL;
        p += size;
    }
    if (len > (size_t)(end - p)) return NULL;
    if (!out->is_list && len == 1 && p[0] < 0x80) return NULL;
    out->start = p;
    out->len = len;
    return p + len;
}

static int read_uint64(const item_t *item, uint64_t *out) {
    if (item->is_list || item->len > 8 || (item->len && item->start[0] == 0)) return 0;
    uint64_t value = 0;
    for (size_t i = 0; i < item->len; i++) value = value << 8 | item->start[i];
    *out = value;
    return 1;
}

static int read_uint256(const item_t *item, uint8_t out[32]) {
    if (item->is_list || item->len > 32 || (item->len && item->start[0] == 0)) return 0;
    memset(out, 0, 32 - item->len);
    memcpy(out + 32 - item->len, item->start, item->len);
    return 1;
}

static size_t list_header(uint8_t *out, size_t len) {
    if (len <= 55) {
        out[0] = (uint8_t)(0xc0 + len);
        return 1;
    }
    size_t size = 0;
    for (size_t rest = len; rest && size < 8; rest >>= 8) size++;
    out[0] = (uint8_t)(0xf7 + size);
    for (size_t i = 0; i < size; i++) out[1 + i] = (uint8_t)(len >> 8 * (size - 1 - i));
    return 1 + size;
}

/* ---- Signatures ---------------------------------------------------------------------------------------- */

static const uint8_t HALF_N[32] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4,
                                   0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};

static int recover(const curve_t *curve, const uint8_t digest[32], const uint8_t r[32], const uint8_t s[32],
                   int parity, uint8_t address[20]) {
    uint8_t compact[64], signature[65], pubkey[64], serialized[65], hash[32];
    size_t len = 65;
    if (memcmp(s, HALF_N, 32) > 0) return 0;
    memcpy(compact, r, 32);
    memcpy(compact + 32, s, 32);
    if (!curve->parse(curve->ctx, signature, compact, parity)) return 0;
    if (!curve->recover(curve->ctx, pubkey, signature, digest)) return 0;
    curve->serialize(curve->ctx, serialized, &len, pubkey, 2);
    keccak(serialized + 1, 64, hash);
    memcpy(address, hash + 12, 20);
    return 1;
}

static void signing_hash(uint8_t type, const uint8_t *payload, size_t len, const uint8_t *tail, size_t tail_len,
                         uint8_t out[32]) {
    uint8_t head[10];
    size_t used = 0;
    keccak_t k;
    if (type) head[used++] = type;
    used += list_header(head + used, len + tail_len);
    keccak_init(&k);
    keccak_update(&k, head, used);
    keccak_update(&k, payload, len);
    keccak_update(&k, tail, tail_len);
    keccak_final(&k, out);
}

/* ---- Transactions -------------------------------------------------------------------------------------- */

enum { MAX_FIELDS = 14 };

static int read_hashes(const item_t *list, uint32_t *count) {
    const uint8_t *p = list->start, *end = p + list->len;
    item_t item;
    while (p < end) {
        if (!(p = read_item(p, end, &item)) || item.is_list || item.len != 32) return 0;
        ++*count;
    }
    return 1;
}

static int read_access_list(const item_t *list, uint32_t *count) {
    const uint8_t *p = list->start, *end = p + list->len;
    item_t entry, address, keys;
    while (p < end) {
        if (!(p = read_item(p, end, &entry)) || !entry.is_list) return 0;
        const uint8_t *q = entry.start, *stop = q + entry.len;
        if (!(q = read_item(q, stop, &address)) || address.is_list || address.len != 20) return 0;
        if (!(q = read_item(q, stop, &keys)) || !keys.is_list || q != stop) return 0;
        ++*count;
        if (!read_hashes(&keys, count)) return 0;
    }
    return 1;
}

static int read_authorizations(const curve_t *curve, const item_t *list, uint32_t *count) {
    const uint8_t *p = list->start, *end = p + list->len;
    item_t entry, field[6];
    while (p < end) {
        uint8_t chain[32], r[32], s[32], digest[32], authority[20];
        uint64_t nonce, parity;
        if (!(p = read_item(p, end, &entry)) || !entry.is_list) return 0;
        const uint8_t *q = entry.start, *stop = q + entry.len;
        for (int i = 0; i < 6; i++)
            if (!(q = read_item(q, stop, &field[i]))) return 0;
        if (q != stop || field[1].is_list || field[1].len != 20) return 0;
        if (!read_uint256(&field[0], chain) || !read_uint64(&field[2], &nonce) || !read_uint64(&field[3], &parity))
            return 0;
        if (!read_uint256(&field[4], r) || !read_uint256(&field[5], s)) return 0;
        signing_hash(5, entry.start, (size_t)(field[3].head - entry.start), NULL, 0, digest);
        if (parity < 2 && recover(curve, digest, r, s, (int)parity, authority)) ++*count;
    }
    return 1;
}

static int decode_one(const curve_t *curve, const uint8_t *raw, size_t len, row_t *row) {
    static const uint8_t COUNT[5] = {9, 11, 12, 14, 13};
    item_t list, field[MAX_FIELDS];
    const uint8_t *end = raw + len, *p;
    uint8_t type = raw[0] >= 0xc0 ? 0 : raw[0], digest[32], tail[12];
    size_t tail_len = 0;
    int n = 0, parity;
    if (type > 4 || (raw[0] < 0xc0 && !type)) return 0;
    if (read_item(raw + (type ? 1 : 0), end, &list) != end || !list.is_list) return 0;
    for (p = list.start; p < end; n++)
        if (n == COUNT[type] || !(p = read_item(p, end, &field[n]))) return 0;
    if (n != COUNT[type]) return 0;

    const item_t *f = field;
    row->chain_id = 0;
    if (type && !read_uint64(f++, &row->chain_id)) return 0;
    if (!read_uint64(f++, &row->nonce) || row->nonce == UINT64_MAX) return 0;
    if (type >= 2 && !read_uint256(f++, row->tip)) return 0;
    if (!read_uint256(f++, row->fee) || !read_uint64(f++, &row->gas_limit)) return 0;
    if (f->is_list || !(f->len == 20 || (f->len == 0 && type < 3))) return 0;
    row->is_create = f->len == 0;
    memcpy(row->to, f->start, f->len);
    f++;
    if (!read_uint256(f++, row->value) || f->is_list) return 0;
    row->data_offset = (uint32_t)(f->start - raw);
    row->data_len = (uint32_t)f->len;
    f++;
    if (type && (!f->is_list || !read_access_list(f++, &row->listed))) return 0;
    if (type == 3) {
        if (!read_uint256(f++, row->blob_fee) || !f->is_list || !f->len || !read_hashes(f++, &row->listed)) return 0;
    } else if (type == 4) {
        if (!f->is_list || !f->len || !read_authorizations(curve, f++, &row->authorities)) return 0;
    }
    size_t signed_len = (size_t)(f->head - list.start);
    if (!read_uint64(&f[0], &row->v) || !read_uint256(&f[1], row->r) || !read_uint256(&f[2], row->s)) return 0;
    if (type) {
        if (row->v > 1) return 0;
        parity = (int)row->v;
    } else if (row->v >= 35) {
        parity = (row->v - 35) & 1;
        row->chain_id = (row->v - 35) >> 1;
        uint8_t digits[8];
        size_t size = 0;
        for (uint64_t rest = row->chain_id; rest; rest >>= 8) digits[size++] = (uint8_t)rest;
        if (size == 0 || size > 1 || digits[0] >= 0x80) tail[tail_len++] = (uint8_t)(0x80 + size);
        while (size) tail[tail_len++] = digits[--size];
        tail[tail_len++] = 0x80;
        tail[tail_len++] = 0x80;
    } else if (row->v == 27 || row->v == 28) {
        parity = (int)row->v - 27;
    } else {
        return 0;
    }
    keccak(raw, len, row->hash);
    signing_hash(type, list.start, signed_len, tail, tail_len, digest);
    row->type = type;
    return recover(curve, digest, row->r, row->s, parity, row->sender);
}

/* Decode `count` transactions, the i-th at data[offsets[i] .. offsets[i + 1]); return how many were accepted. */
size_t decode_batch(const curve_t *curve, const uint8_t *data, const uint64_t *offsets, size_t count, row_t *rows) {
    size_t accepted = 0;
    for (size_t i = 0; i < count; i++) {
        memset(&rows[i], 0, sizeof rows[i]);
        if (offsets[i + 1] > offsets[i] &&
            decode_one(curve, data + offsets[i], (size_t)(offsets[i + 1] - offsets[i]), &rows[i]))
            accepted++;
        else
            rows[i].type = 0xff;
    }
    return accepted;
}
