//! The log from some entry on, read ahead of those who need it, in bounded pieces.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;

use cairn_merkle::tile::TILE_WIDTH;
use cairn_merkle::{TileLevel, TilePath};

use crate::bundle::{Leaves, RawBundle};
use crate::difference::Stop;
use crate::source::Source;
use crate::tiles::{AuthenticTiles, fetch};

/// Bundles read together, at most: 4,096 entries.
pub(crate) const CHUNK_BUNDLES_MAX: u64 = 16;
/// Above this many bytes a chunk makes the next one smaller: entries may be long, memory is not.
const CHUNK_BYTES: usize = 8 << 20;

/// Some bundles that follow each other.
pub(crate) type RawChunk = Vec<RawBundle>;

/// Reads every bundle from the one that holds entry `from` to the end of the log, and hands them on in chunks.
///
/// What cannot be read is handed on after everything before it, as the last thing. Stops early when nobody listens.
pub(crate) fn read_ahead(
    source: &dyn Source,
    tiles: &AuthenticTiles<'_>,
    from: u64,
    size: u64,
    chunks: &SyncSender<Result<RawChunk, Stop>>,
) {
    let width = u64::from(TILE_WIDTH);
    let (mut next, end) = (from / width, size.div_ceil(width));
    let mut count = CHUNK_BUNDLES_MAX;
    while next < end {
        let numbers: Vec<u64> = (next..end.min(next + count)).collect();
        next += numbers.len() as u64;
        let mut chunk = RawChunk::with_capacity(numbers.len());
        let mut stop = None;
        for read in read_all(source, tiles, size, &numbers) {
            match read {
                Ok(bundle) => chunk.push(bundle),
                Err(reason) => {
                    stop = Some(reason);
                    break;
                }
            }
        }
        let bytes: usize = chunk.iter().map(|bundle| bundle.bytes.len()).sum();
        count = if bytes > CHUNK_BYTES { 1.max(count / 2) } else { CHUNK_BUNDLES_MAX.min(count * 2) };
        if chunks.send(Ok(chunk)).is_err() {
            return;
        }
        if let Some(reason) = stop {
            // Nobody listening is as good as having said it.
            let _ = chunks.send(Err(reason));
            return;
        }
    }
}

/// Reads bundles, several at once where the source likes that; in order, up to the first that cannot be read.
fn read_all(
    source: &dyn Source,
    tiles: &AuthenticTiles<'_>,
    size: u64,
    numbers: &[u64],
) -> Vec<Result<RawBundle, Stop>> {
    let workers = source.parallel().min(numbers.len());
    if workers <= 1 {
        let mut read = Vec::with_capacity(numbers.len());
        for &number in numbers {
            read.push(read_one(source, tiles, size, number));
            if read.last().is_some_and(Result::is_err) {
                break;
            }
        }
        return read;
    }
    let next = AtomicUsize::new(0);
    let slots: Vec<Mutex<Option<Result<RawBundle, Stop>>>> = numbers.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&number) = numbers.get(at) else { return };
                    let read = read_one(source, tiles, size, number);
                    let failed = read.is_err();
                    *slots[at].lock().expect("nobody panics while holding a slot") = Some(read);
                    if failed {
                        // Nothing after this one is wanted; those before it are being read already.
                        next.store(numbers.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    slots.into_iter().map_while(|slot| slot.into_inner().expect("nobody panics while holding a slot")).collect()
}

fn read_one(source: &dyn Source, tiles: &AuthenticTiles<'_>, size: u64, number: u64) -> Result<RawBundle, Stop> {
    let path = TilePath::in_log(TileLevel::Entries, number, size).expect("the bundle is one of the log's");
    let leaves = match tiles.edge_of(0, number) {
        Some(hashes) => Leaves::Vouched(hashes.clone()),
        None => {
            let above = tiles.hash(1, number)?;
            Leaves::Served { tile: fetch(source, TilePath { level: TileLevel::Hashes(0), ..path })?, above }
        }
    };
    Ok(RawBundle { path, bytes: fetch(source, path)?, leaves })
}
