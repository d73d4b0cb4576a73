//! Sums by place are the sums of what stands there.

use cairn_core::geo::Position;
use proptest::prelude::*;

use super::build::by_place;
use super::*;

fn row(number: u32, lat_e7: i32, lon_e7: i32, resolution: u8, judged: bool) -> PlaceRow {
    let mut device = DeviceId([0; 16]);
    device.0[..4].copy_from_slice(&number.to_be_bytes());
    PlaceRow {
        device,
        cell: Cell::containing(Position::of(lat_e7, lon_e7).unwrap(), resolution).unwrap(),
        is_judged: judged,
        score_ppm: (judged && !number.is_multiple_of(7)).then_some(number % 1_000_001),
        is_untested: judged && number.is_multiple_of(3),
        paid: Amount(u128::from(number) * 1_000_000_007),
    }
}

fn sum<'a>(rows: impl Iterator<Item = &'a PlaceRow>) -> PlaceSum {
    rows.fold(PlaceSum::default(), |sum, row| sum.plus(row))
}

fn rows() -> impl Strategy<Value = Vec<PlaceRow>> {
    let spot = (-899_000_000i32..=899_000_000, -1_800_000_000i32..=1_800_000_000);
    let near = (0i32..400_000, 0i32..400_000).prop_map(|(lat, lon)| (525_000_000 + lat, 134_000_000 + lon));
    let one = (prop_oneof![spot, near], 3u8..=9, any::<bool>());
    proptest::collection::vec(one, 0..120).prop_map(|found| {
        let row = |(number, ((lat, lon), resolution, judged))| row(number, lat, lon, resolution, judged);
        (0..).zip(found).map(row).collect()
    })
}

/// The cell a row is shown in at a resolution: its own, where that is coarser.
fn shown_in(row: &PlaceRow, resolution: u8) -> Cell {
    row.cell.parent(resolution).unwrap_or(row.cell)
}

proptest! {
    #[test]
    fn a_view_of_the_earth_is_every_device_once(rows in rows(), resolution in 0u8..=10, most in 100usize..300) {
        let places = by_place(rows.clone(), Vec::new());
        prop_assert_eq!(places.total(), sum(rows.iter()));
        let (took, cells) = places.view(&Area::EARTH, resolution, most);
        prop_assert!(took <= resolution && cells.len() <= most.max(122));
        for (cell, found) in &cells {
            let own: Vec<&PlaceRow> = rows.iter().filter(|row| shown_in(row, took) == *cell).collect();
            prop_assert_eq!(*found, sum(own.into_iter()), "{} at {}", cell, took);
        }
        let total = cells.iter().fold((0, 0), |(devices, paid), (_, sum)| (devices + sum.devices, paid + sum.paid.0));
        prop_assert_eq!(total, (rows.len() as u64, places.total().paid.0));
    }

    #[test]
    fn what_lies_in_a_box_is_in_its_view(rows in rows(), south in -890_000_000i32..800_000_000, west in -1_800_000_000i64..1_800_000_000, resolution in 0u8..=9) {
        let area = Area::of(south, south + 90_000_000, west, west + 700_000_000).unwrap();
        let (took, cells) = by_place(rows.clone(), Vec::new()).view(&area, resolution, 5_000);
        for row in &rows {
            let centre = row.cell.center();
            let spot = Area::of(centre.lat_e7, centre.lat_e7, centre.lon_e7.into(), centre.lon_e7.into()).unwrap();
            if area.meets(&spot) {
                let shown = shown_in(row, took);
                prop_assert!(cells.iter().any(|(cell, _)| *cell == shown), "{} in {:?}", shown, area);
            }
        }
    }

    #[test]
    fn a_cell_holds_what_is_below_it_in_pages(rows in rows(), resolution in 0u8..=9, limit in 1u64..7) {
        let places = by_place(rows.clone(), Vec::new());
        for row in rows.iter().take(9) {
            let cell = shown_in(row, resolution);
            let below: Vec<&PlaceRow> = rows.iter().filter(|row| row.cell.parent(cell.resolution()) == Some(cell)).collect();
            prop_assert_eq!(places.sum(cell), sum(below.iter().copied()));
            let (mut paged, mut after) = (Vec::new(), 0);
            loop {
                let page = places.devices(cell, after, limit);
                if page.is_empty() {
                    break;
                }
                after += page.len() as u64;
                paged.extend_from_slice(page);
            }
            let mut expected: Vec<PlaceRow> = below.into_iter().copied().collect();
            expected.sort_unstable_by_key(|row| (row.cell.place(), row.device));
            prop_assert_eq!(paged, expected);
        }
    }

    #[test]
    fn cells_are_ranked_in_pages(rows in rows(), limit in 1usize..9) {
        let places = by_place(rows.clone(), Vec::new());
        let rank = |sum: &PlaceSum| sum.score_ppm();
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = places.ranked(rank, after, limit);
            prop_assert!(page.len() <= limit);
            after = page.last().map(|(cell, _)| *cell);
            if after.is_none() {
                break;
            }
            paged.extend(page);
        }
        let mut cells: Vec<Cell> = rows.iter().map(|row| row.cell).collect();
        cells.sort_unstable();
        cells.dedup();
        let own = |cell: Cell| sum(rows.iter().filter(|row| row.cell == cell));
        let mut expected: Vec<(Cell, PlaceSum)> = cells.into_iter().map(|cell| (cell, own(cell))).collect();
        expected.retain(|(_, sum)| sum.scored > 0);
        expected.sort_unstable_by_key(|(cell, sum)| (rank(sum), cell.place()));
        prop_assert_eq!(paged, expected);
    }

    #[test]
    fn the_area_holds_every_centre_and_no_wider_than_the_earth(rows in rows()) {
        let places = by_place(rows.clone(), Vec::new());
        prop_assert_eq!(places.area().is_some(), !rows.is_empty());
        for row in &rows {
            let centre = row.cell.center();
            let spot = Area::of(centre.lat_e7, centre.lat_e7, centre.lon_e7.into(), centre.lon_e7.into()).unwrap();
            prop_assert!(places.area().unwrap().meets(&spot));
        }
    }
}

#[test]
fn an_area_over_the_antimeridian_is_narrow() {
    let rows = vec![row(1, 0, 1_790_000_000, 8, true), row(2, 0, -1_790_000_000, 8, true)];
    let area = by_place(rows, Vec::new()).area().unwrap();
    assert!(area.east_e7 - area.west_e7 < 21_000_000, "{area:?}");
}

#[test]
fn epochs_are_forgotten_when_there_are_too_many_devices_and_the_one_just_asked_for_stays() {
    let summed = Summed::default();
    let places = || {
        Arc::new(Places { rows: vec![row(1, 0, 0, 8, true); ROWS_MAX / 2], stops: vec![], middles: vec![], area: None })
    };
    let key = |epoch| (epoch, Hash::ZERO);
    for epoch in 0..2 {
        summed.keep(key(epoch), places());
    }
    assert!(summed.find(&key(0)).is_some());
    summed.keep(key(2), places());
    assert!(summed.find(&key(0)).is_some() && summed.find(&key(1)).is_none() && summed.find(&key(2)).is_some());
}
