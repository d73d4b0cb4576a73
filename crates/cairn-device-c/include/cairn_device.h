/* cairn_device.h: sign a Cairn report on a microcontroller.
 *
 * Link with the static library of the crate cairn-device-c. It allocates nothing, keeps nothing between calls and holds no
 * lock; built for a bare target it needs nothing else, not even a C library. Functions may be called from several threads at
 * once, each with buffers of its own.
 *
 * Every function returns 0 when it has done what it says, else one of the numbers below; then nothing was signed, and what
 * an output holds is of no use unless said otherwise. Numbers are never reused.
 *
 * Pointers are checked for NULL and alignment, lengths for sense, outputs for not lying over inputs. That a pointer leads to
 * as many bytes as it says is your word. What you pass must not change before the call returns.
 */
#ifndef CAIRN_DEVICE_H
#define CAIRN_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What functions return. */
#define CAIRN_OK 0
#define CAIRN_BUFFER 1          /* `out` is too small; `signed_->len` is the size that the report needs */
#define CAIRN_TOO_LARGE 2       /* the report would have over 32,000 bytes */
#define CAIRN_TIME 3            /* `time_ms` is 2^63 or more */
#define CAIRN_CLOCK_ERROR 4     /* `clock_error_ms` is 2^63 or more */
#define CAIRN_SCHEMA 5          /* not 1 to 32 characters of printable ASCII */
#define CAIRN_FLAGS 6           /* a flag other than those below */
#define CAIRN_CELL 7            /* not an H3 cell */
#define CAIRN_POSITION 8        /* outside the globe */
#define CAIRN_BLOB_SIZE 9       /* a blob of 2^63 bytes or more */
#define CAIRN_BODY_FORM 10      /* `body` is not one item of deterministic CBOR as bodies have it */
#define CAIRN_BODY_DEPTH 11     /* `body` is nested deeper than seven arrays and maps */
#define CAIRN_READING_COUNT 12  /* no reading, or more than 8,192 */
#define CAIRN_NO_VALUE 13       /* a reading without a value */
#define CAIRN_QUANTITY 14       /* a quantity other than those below */
#define CAIRN_TWICE 15          /* a quantity twice in one reading */
#define CAIRN_VALUE 16          /* a value further than 10^12 from zero */
#define CAIRN_AFTER 17          /* a reading not later than the one before it, or over 31 days after the report */
#define CAIRN_CHANGED 18        /* the readings changed while they were signed */
#define CAIRN_BOOTS_SPENT 19    /* the boot counter stands at 2^32 - 1: the device needs another key */
#define CAIRN_SEQUENCE_SPENT 20 /* of the Rust interface; here the caller counts `seq`, and takes the next boot after 2^32 - 1 */
#define CAIRN_SIGNER 21         /* the secure element did not sign */
#define CAIRN_NULL 100          /* a pointer that must lead somewhere is NULL */
#define CAIRN_ARGUMENT 101      /* a pointer or length that cannot be, an output over an input, fields that contradict each other */
#define CAIRN_NO_RECORD 102     /* no slot holds a boot counter */

/* Sizes. */
#define CAIRN_REPORT_BYTES_MAX 32000
/* Enough for a report of `readings` readings of at most `values` values each, without answers and blobs. */
#define CAIRN_SENSING_REPORT_BYTES_MAX(readings, values) (220 + (size_t)(readings) * (7 + 10 * (size_t)(values)))

/* Quantities, with the unit of their values. */
#define CAIRN_AIR_TEMPERATURE 1   /* 0.01 degC */
#define CAIRN_RELATIVE_HUMIDITY 2 /* 0.01 % */
#define CAIRN_PRESSURE 3          /* Pa, at the sensor */
#define CAIRN_PM10 4              /* 0.1 ug/m3 */
#define CAIRN_PM25 5              /* 0.1 ug/m3 */
#define CAIRN_WIND_SPEED 6        /* 0.01 m/s */
#define CAIRN_WIND_DIRECTION 7    /* degrees clockwise from north that the wind comes from */
#define CAIRN_RAIN 8              /* 0.01 mm since boot */
#define CAIRN_ILLUMINANCE 9       /* lx */
#define CAIRN_BATTERY 10          /* mV */
#define CAIRN_IRRADIANCE 11       /* W/m2 */
#define CAIRN_NOISE 12            /* 0.1 dBA */
#define CAIRN_CO2 13              /* ppm */
#define CAIRN_HOST_TEMPERATURE 14 /* 0.01 degC */
#define CAIRN_HOST_LOAD 15        /* 0.01 */

/* Flags. */
#define CAIRN_MAINTENANCE 1 /* somebody works on the device: unscored */
#define CAIRN_BACKFILLED 2  /* sent later than measured, from a queue */
#define CAIRN_LOW_BATTERY 4

/* Clock sources. */
#define CAIRN_CLOCK_NONE 0    /* no clock: the time of receipt counts, and `time_ms` for nothing */
#define CAIRN_CLOCK_RTC 1     /* battery-backed */
#define CAIRN_CLOCK_NETWORK 2 /* a mobile or radio network's */
#define CAIRN_CLOCK_NTP 3
#define CAIRN_CLOCK_GNSS 4 /* a satellite fix */

/* Bits of `has`: which fields of a report are meant. */
#define CAIRN_HAS_CLOCK 1    /* clock_source, clock_error_ms */
#define CAIRN_HAS_PREVIOUS 2 /* previous */
#define CAIRN_HAS_CELL 4     /* cell; not with a position */
#define CAIRN_HAS_POSITION 8 /* lat_e7, lon_e7; only where the device was enrolled with an exact place */
#define CAIRN_HAS_ALTITUDE 16 /* altitude_cm; with a position */
#define CAIRN_HAS_ERROR 32    /* error_cm; with an altitude */
#define CAIRN_HAS_SUBJECT 64  /* subject; networks do not accept these yet */

/* One value. */
typedef struct cairn_measured {
    int64_t value; /* in the quantity's unit */
    uint8_t quantity;
} cairn_measured;

/* Values measured together. */
typedef struct cairn_reading {
    uint64_t after_ms;            /* after the report's time, at most 31 days; ascending from reading to reading */
    const cairn_measured *values; /* each quantity once, in any order */
    size_t values_len;            /* 1 to 15 */
} cairn_reading;

/* Something kept outside the log. */
typedef struct cairn_blob {
    uint8_t hash[32]; /* SHA-256 */
    uint64_t bytes;
} cairn_blob;

/* A report. Begin with `cairn_report report = {0};` and set what there is to say. */
typedef struct cairn_report {
    uint32_t boot;    /* boot counter: stored before the first report of a boot, see cairn_boot_next */
    uint32_t seq;     /* 0, 1, 2, ... within the boot; need not be stored */
    uint64_t time_ms; /* of the measurement, ms since 1970 UTC */
    uint32_t has;     /* CAIRN_HAS_... */
    uint8_t clock_source;
    uint8_t flags;
    uint8_t previous[8]; /* the first 8 bytes of the previous report's identity */
    uint8_t subject[16];
    uint64_t clock_error_ms; /* how far off the clock may be */
    uint64_t cell;           /* H3 */
    int32_t lat_e7;          /* 1e-7 degree */
    int32_t lon_e7;          /* 1e-7 degree */
    int32_t altitude_cm;
    uint32_t error_cm; /* of the whole position */

    /* Either readings of `sensing/1`, `schema` and `body` being NULL: */
    const cairn_reading *readings;
    size_t readings_len;
    /* or the body of another class, encoded, `readings` being NULL: */
    const char *schema; /* without a zero at its end */
    size_t schema_len;
    const uint8_t *body; /* one item of deterministic CBOR; its form is checked */
    size_t body_len;

    const uint8_t (*answers)[32]; /* hashes of payloads answered, revealed or countersigned */
    size_t answers_len;
    const cairn_blob *blobs;
    size_t blobs_len;
} cairn_report;

/* What came of signing. */
typedef struct cairn_signed {
    size_t len;           /* the bytes of the report in `out`; after CAIRN_BUFFER, those that it needs; else 0 */
    uint8_t identity[32]; /* SHA-256 of the payload; zeros where nothing was signed */
} cairn_signed;

/* The public half of a seed, and the id of the device whose first key it is. Either output may be NULL.
 * The seed is 32 bytes of true randomness: whoever guesses it is the device. */
int32_t cairn_public_key(const uint8_t seed[32], uint8_t public_key[32], uint8_t device[16]);

/* The id of the device whose first key is this P-256 point, x || y, as secure elements give it. */
int32_t cairn_device_of_p256(const uint8_t point[64], uint8_t device[16]);

/* A device's id as people read it: "dev1", 26 letters and digits, and a zero. */
int32_t cairn_device_text(const uint8_t device[16], char text[31]);

/* The boot counter to use now, and the 8 bytes to store before anything is signed with it: one above the highest in any of
 * `slots_len` slots of 8 bytes, and at least `floor` (0 where there is no reason for one). Keep two slots or more in pages that
 * are erased apart, and write them in turn: a torn write leaves the one before it.
 * CAIRN_NO_RECORD: no slot holds a counter. On a first start store the record of 0 (cairn_boot_record). If the key may have
 * signed before, a counter that was used would make conflicts that nobody is paid for: choose a floor that cannot have been. */
int32_t cairn_boot_next(const uint8_t (*slots)[8], size_t slots_len, uint32_t floor, uint32_t *boot, uint8_t record[8]);

/* The 8 bytes to store for a boot counter. */
int32_t cairn_boot_record(uint32_t boot, uint8_t record[8]);

/* Signs `report` for the network with a seed, into the beginning of `out`. `device` is NULL for the device of the seed itself;
 * a device that was rotated to this key names its id. `out` may be NULL with `out_size` 0, to ask for the size. */
int32_t cairn_sign_ed25519(const uint8_t seed[32], const uint8_t *device, const uint8_t network[32], const cairn_report *report,
                           uint8_t *out, size_t out_size, cairn_signed *signed_);

/* Signs a digest with a P-256 key: writes r || s, each 32 bytes big-endian, over the digest as it is, and returns 0. Either of
 * the two values of s will do. It must not unwind or jump out. */
typedef int32_t (*cairn_signer)(void *context, const uint8_t digest[32], uint8_t signature[64]);

/* Has `sign` sign `report` for the network, into the beginning of `out`. `context` is handed to `sign` as it is. */
int32_t cairn_sign_p256(const uint8_t device[16], const uint8_t network[32], const cairn_report *report, cairn_signer sign,
                        void *context, uint8_t *out, size_t out_size, cairn_signed *signed_);

#ifdef __cplusplus
}
#endif

#endif
