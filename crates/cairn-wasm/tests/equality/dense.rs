//! Programs as compilers write them, dense in what interpreters and compilers rewrite: comparisons of locals with small
//! constants under `eqz`, `select`, `if` and `br_if`, arithmetic with immediates, loads and stores at small addresses, values that
//! outlive an assignment to the local they came from. Each from a seed; all locals are written at the end.

use std::fmt::Write;

use super::smith::bytes;

const TYPES: [&str; 4] = ["i32", "i64", "f32", "f64"];
/// Locals of each type.
const LOCALS: u8 = 3;

struct Writer {
    noise: std::vec::IntoIter<u8>,
    types: u8,
    loops: u32,
}

/// The program of a seed.
pub fn program(seed: u64, floats: bool) -> Vec<u8> {
    written(seed, floats, false)
}

/// The program of a seed, over and over, without a word.
pub fn endless(seed: u64, floats: bool) -> Vec<u8> {
    written(seed, floats, true)
}

fn written(seed: u64, floats: bool, endless: bool) -> Vec<u8> {
    let noise = bytes(seed ^ 0xdeed, 4000).into_iter();
    let mut writer = Writer { noise, types: if floats { 4 } else { 2 }, loops: 0 };
    let mut declared = String::new();
    for of in TYPES {
        for local in 0..LOCALS {
            write!(declared, "(local ${of}{local} {of})").unwrap();
        }
    }
    declared += &(0..4).map(|counter| format!("(local $c{counter} i32)")).collect::<String>();
    let mut start = String::new();
    for of in &TYPES[..writer.types as usize] {
        for local in 0..LOCALS {
            write!(start, "(local.set ${of}{local} {})", writer.constant(of)).unwrap();
        }
    }
    let body = (0..6 + seed % 8).map(|_| writer.statement(3)).collect::<String>();
    let mut end = String::new();
    for (of, bytes) in TYPES.iter().zip([4, 8, 4, 8]) {
        for local in 0..LOCALS {
            write!(
                end,
                "({of}.store (i32.const 0) (local.get ${of}{local})) (call $write (i32.const 0) (i32.const {bytes}))"
            )
            .unwrap();
        }
    }
    let parts = if floats { "" } else { end.split_once("(f32.store").unwrap().0 };
    let end = if floats { &end } else { parts };
    let declared = if floats { declared } else { declared.replace("f32)", "i32)").replace("f64)", "i64)") };
    let callee = |of: &str, op: &str| {
        format!("(func ${of} (param {of} {of}) (result {of}) ({of}.{op} (local.get 1) (local.get 0)))")
    };
    let mut callees = callee("i32", "sub") + &callee("i64", "xor");
    if floats {
        callees += &(callee("f32", "sub") + &callee("f64", "div"));
    }
    let again = if endless { "(br $again)" } else { "" };
    let text = format!(
        r#"(module (import "cairn" "output_write" (func $write (param i32 i32))) (memory 1) {callees}
          (func (export "run") {declared} {start} (loop $again {body} {again}) {end} (call $write (i32.const 8) (i32.const 120))))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

impl Writer {
    fn pick(&mut self, choices: u8) -> u8 {
        self.noise.next().unwrap_or_default() % choices
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.pick(choices.len() as u8) as usize]
    }

    fn any_type(&mut self) -> &'static str {
        TYPES[self.pick(self.types) as usize]
    }

    fn local(&mut self, of: &str) -> String {
        format!("${of}{}", self.pick(LOCALS))
    }

    fn constant(&mut self, of: &str) -> String {
        let value = match of {
            "i32" => self.of(&["0", "0", "1", "-1", "2", "7", "31", "32", "255", "0x80000000", "0x7fffffff", "1000"]),
            "i64" => {
                self.of(&["0", "0", "1", "-1", "2", "63", "64", "0x100000000", "0x8000000000000000", "12345678901"])
            }
            _ => self.of(&["0", "-0", "1", "-1.5", "inf", "-inf", "nan", "1e30", "3.25", "0.1"]),
        };
        format!("({of}.const {value})")
    }

    /// A condition: most often a comparison with a local or a small constant, sometimes negated, sometimes twice.
    fn condition(&mut self, depth: u8) -> String {
        let of = self.any_type();
        match self.pick(8) {
            0 => self.value("i32", depth),
            1 | 2 => format!("(i32.eqz {})", self.condition(depth.saturating_sub(1))),
            3 => format!("(i32.eqz (local.get {}))", self.local("i32")),
            4 => format!("(i64.eqz {})", self.value("i64", depth.saturating_sub(1))),
            5 => format!("(i32.{} {} (i32.const 0))", self.of(&["eq", "ne"]), self.condition(depth.saturating_sub(1))),
            _ => {
                let integers = ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"];
                let op = if of.starts_with('i') {
                    self.of(&integers)
                } else {
                    self.of(&["eq", "ne", "lt", "gt", "le", "ge"])
                };
                let (a, b) = (self.value(of, depth.saturating_sub(1)), self.value(of, 0));
                if self.pick(2) == 0 { format!("({of}.{op} {a} {b})") } else { format!("({of}.{op} {b} {a})") }
            }
        }
    }

    fn value(&mut self, of: &str, depth: u8) -> String {
        if depth == 0 {
            return if self.pick(3) == 0 { self.constant(of) } else { format!("(local.get {})", self.local(of)) };
        }
        let less = depth - 1;
        match self.pick(16) {
            0..=4 => self.binary(of, less),
            5 => self.unary(of, less),
            6 | 7 => format!("(select {} {} {})", self.value(of, less), self.value(of, less), self.condition(less)),
            8 => format!("(local.tee {} {})", self.local(of), self.value(of, less)),
            9 => format!(
                "(if (result {of}) {} (then {}) (else {}))",
                self.condition(less),
                self.value(of, less),
                self.value(of, less)
            ),
            10 => format!("(block (result {of}) (br_if 0 {} {}))", self.value(of, less), self.condition(less)),
            11 => format!("(call ${of} {} {})", self.value(of, less), self.value(of, less)),
            12 => {
                let address = self.address(less);
                format!("({of}.load offset={} {address})", self.pick(100))
            }
            13 if of == "i32" => self.condition(less),
            14 => self.conversion(of, less),
            _ => self.value(of, 0),
        }
    }

    fn address(&mut self, depth: u8) -> String {
        format!("(i32.and {} (i32.const 255))", self.value("i32", depth))
    }

    fn binary(&mut self, of: &str, depth: u8) -> String {
        let op = if of.starts_with('i') {
            self.of(&[
                "add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr", "add", "sub",
                "div_u", "rem_s",
            ])
        } else {
            self.of(&["add", "sub", "mul", "div", "min", "max", "copysign"])
        };
        let (a, b) = (self.value(of, depth), self.value(of, depth / 2));
        // Division by what is never zero: traps end a program early, and hide what follows.
        if op.starts_with("div_") || op.starts_with("rem_") {
            return format!("({of}.{op} {a} ({of}.or {b} ({of}.const {})))", self.of(&["1", "3", "16"]));
        }
        if self.pick(2) == 0 { format!("({of}.{op} {a} {b})") } else { format!("({of}.{op} {b} {a})") }
    }

    fn unary(&mut self, of: &str, depth: u8) -> String {
        let op = match of {
            "i32" => self.of(&["clz", "ctz", "popcnt", "extend8_s", "extend16_s"]),
            "i64" => self.of(&["clz", "ctz", "popcnt", "extend8_s", "extend16_s", "extend32_s"]),
            _ => self.of(&["abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt"]),
        };
        format!("({of}.{op} {})", self.value(of, depth))
    }

    fn conversion(&mut self, of: &str, depth: u8) -> String {
        let floats = self.types == 4;
        let choices: &[(&str, &str)] = match (of, floats) {
            ("i32", false) => &[("wrap_i64", "i64")],
            ("i64", false) => &[("extend_i32_s", "i32"), ("extend_i32_u", "i32")],
            ("i32", true) => &[
                ("wrap_i64", "i64"),
                ("trunc_sat_f32_s", "f32"),
                ("trunc_sat_f64_u", "f64"),
                ("reinterpret_f32", "f32"),
            ],
            ("i64", true) => &[
                ("extend_i32_u", "i32"),
                ("trunc_sat_f32_u", "f32"),
                ("trunc_sat_f64_s", "f64"),
                ("reinterpret_f64", "f64"),
            ],
            ("f32", _) => {
                &[("convert_i32_s", "i32"), ("convert_i64_u", "i64"), ("demote_f64", "f64"), ("reinterpret_i32", "i32")]
            }
            _ => &[
                ("convert_i32_u", "i32"),
                ("convert_i64_s", "i64"),
                ("promote_f32", "f32"),
                ("reinterpret_i64", "i64"),
            ],
        };
        let (op, from) = choices[self.pick(choices.len() as u8) as usize];
        format!("({of}.{op} {})", self.value(from, depth))
    }

    fn statement(&mut self, depth: u8) -> String {
        let of = self.any_type();
        let less = depth.saturating_sub(1);
        match self.pick(if depth == 0 { 6 } else { 11 }) {
            0..=3 => format!("(local.set {} {})", self.local(of), self.value(of, 3)),
            4 => {
                let address = self.address(2);
                format!("({of}.store offset={} {address} {})", self.pick(100), self.value(of, 2))
            }
            5 => {
                let (kept, changed) = (self.local(of), self.value(of, 2));
                format!("(local.get {kept}) (local.set {kept} {changed}) (local.set {})", self.local(of))
            }
            6 | 7 => {
                format!("(if {} (then {}) (else {}))", self.condition(2), self.statement(less), self.statement(less))
            }
            8 => format!(
                "(block (br_if 0 {}) {} (br_if 0 {}) {})",
                self.condition(2),
                self.statement(less),
                self.condition(1),
                self.statement(less)
            ),
            _ if self.loops < 4 => {
                let counter = self.loops;
                self.loops += 1;
                let body = self.statement(less) + &self.statement(less);
                let again = format!(
                    "(i32.lt_u (local.tee $c{counter} (i32.add (local.get $c{counter}) (i32.const 1))) (i32.const 9))"
                );
                format!("(loop {body} (br_if 0 {again}))")
            }
            _ => self.statement(0),
        }
    }
}
