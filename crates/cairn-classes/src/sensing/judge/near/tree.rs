//! A tree of boxes over positions, to find the nearest without looking at everyone.

use std::collections::BinaryHeap;

use cairn_core::geo::{Position, distance_m};

use super::Fixed;
use crate::sensing::judge::case::small;

/// The most stations in a box that is not parted.
const LEAF: usize = 8;

/// Stations in boxes of boxes.
#[derive(Debug)]
pub(super) struct Tree {
    fixed: Vec<Fixed>,
    /// In the order of a walk that takes the left branch first: a box's left branch is the next one.
    boxes: Vec<Bounds>,
}

/// A box: from `low` to `high` in latitude and in longitude, never over the antimeridian.
#[derive(Debug)]
struct Bounds {
    low: Position,
    high: Position,
    from: u32,
    to: u32,
    /// The right branch; 0 for a leaf.
    right: u32,
    /// The owner of all that is in it, if there is but one.
    owner: Option<u32>,
}

impl Tree {
    pub fn of(mut fixed: Vec<Fixed>) -> Self {
        let mut boxes = Vec::with_capacity(fixed.len() / LEAF * 4 + 1);
        if !fixed.is_empty() {
            grow(&mut fixed, 0, &mut boxes);
        }
        Self { fixed, boxes }
    }

    /// The `most` nearest to `own` of other owners within `radius_m`: ascending by distance, tie, device.
    pub fn nearest(&self, own: Fixed, radius_m: u32, most: usize) -> Vec<(u32, Fixed)> {
        // (distance, tie, device, index), the farthest on top.
        let mut best: BinaryHeap<(u32, u32, u32, u32)> = BinaryHeap::with_capacity(most + 1);
        let mut open: Vec<(u64, u32)> = Vec::with_capacity(64);
        let degree_m = degree_m(own, radius_m);
        if most > 0 && !self.boxes.is_empty() {
            open.push((0, 0));
        }
        while let Some((least_square, n)) = open.pop() {
            let reach_m = if best.len() < most { radius_m } else { best.peek().map_or(radius_m, |worst| worst.0) };
            let bounds = &self.boxes[n as usize];
            // One metre more for the rounding of distances.
            if least_square > (u64::from(reach_m) + 1).pow(2) || bounds.owner == Some(own.owner) {
                continue;
            }
            if bounds.right != 0 {
                let branches = [n + 1, bounds.right]
                    .map(|branch| (self.boxes[branch as usize].least_square(own, degree_m), branch));
                let nearer_last = if branches[0].0 <= branches[1].0 { [1, 0] } else { [0, 1] };
                open.extend(nearer_last.map(|side| branches[side]));
                continue;
            }
            for at in bounds.from..bounds.to {
                let fixed = &self.fixed[at as usize];
                let far = (distance_m(own.position, fixed.position), fixed.tie, fixed.device, at);
                if fixed.owner == own.owner || far.0 > radius_m {
                    continue;
                }
                if best.len() < most {
                    best.push(far);
                } else if best.peek().is_some_and(|worst| far < *worst) {
                    best.pop();
                    best.push(far);
                }
            }
        }
        best.into_sorted_vec().into_iter().map(|(metres, .., at)| (metres, self.fixed[at as usize])).collect()
    }
}

impl Bounds {
    /// The square, in metres, of a distance that nobody in the box who is within the radius is nearer than.
    fn least_square(&self, own: Fixed, degree_m: u64) -> u64 {
        let own = own.position;
        let north_e7 = (self.low.lat_e7 - own.lat_e7).max(own.lat_e7 - self.high.lat_e7).max(0);
        let turn = |from: i32, to: i32| (i64::from(to) - i64::from(from)).rem_euclid(3_600_000_000);
        let within = (self.low.lon_e7..=self.high.lon_e7).contains(&own.lon_e7);
        let outside_e7 = turn(own.lon_e7, self.low.lon_e7).min(turn(self.high.lon_e7, own.lon_e7));
        let east_e7 = if within { 0 } else { outside_e7.unsigned_abs() };
        // A metre is 89.93 units of latitude.
        let (north, east) = (u64::from(north_e7.unsigned_abs()) / 90, east_e7 * degree_m / 10_000_000);
        north * north + east * east
    }
}

/// The fewest metres in a degree of longitude along any middle latitude to a place within the radius.
fn degree_m(own: Fixed, radius_m: u32) -> u64 {
    let lat_e7 = u64::from(own.position.lat_e7.unsigned_abs()) + u64::from(radius_m) * 90;
    let lat_e7 = i32::try_from(lat_e7.min(900_000_000)).expect("a quarter turn");
    let degree = distance_m(Position { lat_e7, lon_e7: 0 }, Position { lat_e7, lon_e7: 10_000_000 });
    u64::from(degree).saturating_sub(1)
}

/// Parts stations into boxes, `from` the first one's index, until they are small.
fn grow(fixed: &mut [Fixed], from: usize, boxes: &mut Vec<Bounds>) {
    let (mut low, mut high) = (fixed[0].position, fixed[0].position);
    for Fixed { position, .. } in fixed.iter() {
        low.lat_e7 = low.lat_e7.min(position.lat_e7);
        low.lon_e7 = low.lon_e7.min(position.lon_e7);
        high.lat_e7 = high.lat_e7.max(position.lat_e7);
        high.lon_e7 = high.lon_e7.max(position.lon_e7);
    }
    let owner = fixed.iter().all(|other| other.owner == fixed[0].owner).then_some(fixed[0].owner);
    let at = boxes.len();
    boxes.push(Bounds { low, high, from: small(from), to: small(from + fixed.len()), right: 0, owner });
    if fixed.len() <= LEAF {
        return;
    }
    let half = fixed.len() / 2;
    if high.lat_e7.abs_diff(low.lat_e7) > high.lon_e7.abs_diff(low.lon_e7) {
        fixed.select_nth_unstable_by_key(half, |fixed| (fixed.position.lat_e7, fixed.device));
    } else {
        fixed.select_nth_unstable_by_key(half, |fixed| (fixed.position.lon_e7, fixed.device));
    }
    let (left, right) = fixed.split_at_mut(half);
    grow(left, from, boxes);
    boxes[at].right = small(boxes.len());
    grow(right, from + half, boxes);
}
