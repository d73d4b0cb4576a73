/* A device in C: makes a key, keeps its boot counter, signs what is measured.
 *
 *   device new STATE                                       make a key and a state file; prints the device's id
 *   device key STATE                                       print the key as a key file of `cairn` has it (a secret!)
 *   device sign STATE NETWORK TIME_MS OUT QUANTITY=VALUE...  sign one reading into OUT (or `-`: print it as hexadecimal)
 *
 * The state file stands for the flash of a microcontroller: the seed, then two slots for the boot counter. Each call of
 * `sign` is a start of the device: it stores the next counter before it signs, as a device does once when it is switched on.
 *
 * Build: see README.md beside this file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cairn_device.h"

#define SEED_BYTES 32
#define SLOT_BYTES 8
#define SLOTS 2
#define VALUES_MAX 15

static int fail(const char *what, int32_t status) {
    fprintf(stderr, "device: %s (%d)\n", what, (int)status);
    return 1;
}

static void print_hex(FILE *to, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) fprintf(to, "%02x", bytes[i]);
}

/* 32 bytes from 64 hexadecimal digits; 0 when they are that. */
static int parse_hex32(const char *text, uint8_t out[32]) {
    if (strlen(text) != 64 || strspn(text, "0123456789abcdefABCDEF") != 64) return -1;
    for (int i = 0; i < 32; i++) {
        unsigned byte;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) return -1;
        out[i] = (uint8_t)byte;
    }
    return 0;
}

static int random_seed(uint8_t seed[SEED_BYTES]) {
    int from = open("/dev/urandom", O_RDONLY);
    if (from < 0) return -1;
    ssize_t got = read(from, seed, SEED_BYTES);
    close(from);
    return got == SEED_BYTES ? 0 : -1;
}

static int make(const char *path) {
    uint8_t state[SEED_BYTES + SLOTS * SLOT_BYTES], device[16];
    char text[31];
    memset(state, 0xff, sizeof state); /* erased flash */
    if (random_seed(state) != 0) return fail("no randomness", errno);
    if (cairn_public_key(state, NULL, device) != CAIRN_OK || cairn_device_text(device, text) != CAIRN_OK)
        return fail("no key", 0);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (file < 0) return fail("cannot make the state file", errno);
    int kept = write(file, state, sizeof state) == (ssize_t)sizeof state && fsync(file) == 0;
    close(file);
    if (!kept) return fail("cannot write the state file", errno);
    printf("%s\n", text);
    return 0;
}

/* The boot counter of this start, stored. */
static int32_t next_boot(int file, uint32_t *boot) {
    uint8_t slots[SLOTS][SLOT_BYTES], record[SLOT_BYTES];
    if (pread(file, slots, sizeof slots, SEED_BYTES) != (ssize_t)sizeof slots) return CAIRN_NO_RECORD;
    int32_t status = cairn_boot_next((const uint8_t(*)[SLOT_BYTES])slots, SLOTS, 0, boot, record);
    if (status == CAIRN_NO_RECORD) {
        /* Only a state file that never signed has no counter: it is made with erased slots, and they are never erased. */
        *boot = 0;
        status = cairn_boot_record(0, record);
    }
    if (status != CAIRN_OK) return status;
    /* Counters take turns in the slots, so that a torn write leaves the one before. */
    off_t at = SEED_BYTES + (off_t)(*boot % SLOTS) * SLOT_BYTES;
    if (pwrite(file, record, SLOT_BYTES, at) != SLOT_BYTES || fsync(file) != 0) return CAIRN_NO_RECORD;
    return CAIRN_OK;
}

static int write_out(const char *path, const uint8_t *report, size_t len) {
    if (strcmp(path, "-") == 0) {
        print_hex(stdout, report, len);
        printf("\n");
        return 0;
    }
    FILE *out = fopen(path, "wb");
    if (out == NULL) return fail("cannot open the output", errno);
    size_t written = fwrite(report, 1, len, out);
    return fclose(out) == 0 && written == len ? 0 : fail("cannot write the output", errno);
}

static int sign(int file, const uint8_t seed[SEED_BYTES], int argc, char **argv) {
    uint8_t network[32];
    if (parse_hex32(argv[3], network) != 0) return fail("NETWORK is 64 hexadecimal digits", 0);
    cairn_measured values[VALUES_MAX];
    size_t values_len = 0;
    for (int i = 6; i < argc; i++) {
        unsigned quantity;
        long long value;
        if (values_len == VALUES_MAX || sscanf(argv[i], "%u=%lld", &quantity, &value) != 2 || quantity > 255)
            return fail("a value is QUANTITY=VALUE, and there are at most 15", i);
        values[values_len++] = (cairn_measured){.value = value, .quantity = (uint8_t)quantity};
    }
    cairn_reading reading = {.after_ms = 0, .values = values, .values_len = values_len};
    cairn_report report = {0};
    report.time_ms = strtoull(argv[4], NULL, 10);
    report.has = CAIRN_HAS_CLOCK;
    report.clock_source = CAIRN_CLOCK_NTP; /* as far as this program knows of its host */
    report.clock_error_ms = 1000;
    report.readings = &reading;
    report.readings_len = 1;

    int32_t status = next_boot(file, &report.boot);
    if (status != CAIRN_OK) return fail("the boot counter is not stored", status);
    uint8_t out[CAIRN_SENSING_REPORT_BYTES_MAX(1, VALUES_MAX)];
    cairn_signed made;
    status = cairn_sign_ed25519(seed, NULL, network, &report, out, sizeof out, &made);
    if (status != CAIRN_OK) return fail("the report is not signed", status);
    return write_out(argv[5], out, made.len);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "new") == 0) return make(argv[2]);
    int signs = argc >= 7 && strcmp(argv[1], "sign") == 0;
    if (!signs && !(argc == 3 && strcmp(argv[1], "key") == 0)) {
        fprintf(stderr, "usage: device new STATE | key STATE | sign STATE NETWORK TIME_MS OUT QUANTITY=VALUE...\n");
        return 2;
    }
    int file = open(argv[2], O_RDWR);
    uint8_t seed[SEED_BYTES];
    if (file < 0 || pread(file, seed, sizeof seed, 0) != (ssize_t)sizeof seed) return fail("no state file", errno);
    int code = 0;
    if (signs) {
        code = sign(file, seed, argc, argv);
    } else {
        printf("ed25519 ");
        print_hex(stdout, seed, sizeof seed);
        printf("\n");
    }
    close(file);
    return code;
}
