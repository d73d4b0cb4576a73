//! A small town to judge, and what is asked of its verdicts: the rules as cases, the laws on random towns.

mod cases;
mod copies;
mod crowd;
mod golden;
mod laws;
mod long;
mod moved;
mod own;
mod own_laws;
mod own_time;
mod town;

use self::town::{DAY_MS, Sent, Town, account, codes, device, pm10};
