//! What the firmware signs, and any other build of the same code has to sign in the same bytes.

use cairn_device::size::{report_bytes_max, sensing_bytes_max};
use cairn_device::{
    ClockSource, DeviceKey, Error, Measured, NetworkId, Quantity, Reading, Report, Restart, Signed, flag,
};

/// Room for two readings of three values.
pub const BUFFER_BYTES: usize = report_bytes_max(sensing_bytes_max(2, 3), 0, 0);

/// Two readings, ten minutes apart, under one signature.
pub fn sign(buffer: &mut [u8]) -> Result<Signed<'_>, Error> {
    let key = DeviceKey::from_seed(&[7; 32]);
    let values = [
        Measured::of(Quantity::AIR_TEMPERATURE, -250),
        Measured::of(Quantity::RELATIVE_HUMIDITY, 8_120),
        Measured::of(Quantity::PM10, 146),
    ];
    let readings = [Reading { after_ms: 0, values: &values }, Reading { after_ms: 600_000, values: &values }];
    let mut sequence = Restart::after(41)?.stored();
    Report::sensing(sequence.take()?, 1_700_000_000_000, &readings)
        .clock(ClockSource::Network, 2_000)
        .flags(flag::LOW_BATTERY)
        .sign(&key, key.device(), &NetworkId([9; 32]), buffer)
}
