/* A job in C, complete: the FNV-1a hash of each input, 8 bytes each, little-endian.
   clang --target=wasm32 -Os -nostdlib -Wl,--no-entry -o minimal.wasm minimal.c */

#define CAIRN(name) __attribute__((import_module("cairn"), import_name(#name))) extern

CAIRN(input_count) int input_count(void);
CAIRN(input_read) int input_read(int input, int offset, unsigned char *ptr, int len);
CAIRN(output_write) void output_write(const void *ptr, int len);

static unsigned char buffer[4096];

__attribute__((export_name("run"))) void run(void) {
    for (int input = 0; input < input_count(); input++) {
        unsigned long long hash = 0xcbf29ce484222325ull;
        for (int offset = 0, read; (read = input_read(input, offset, buffer, sizeof buffer)) > 0; offset += read)
            for (int at = 0; at < read; at++)
                hash = (hash ^ buffer[at]) * 0x100000001b3ull;
        output_write(&hash, sizeof hash);
    }
}
