//! Modules that do little but use tables, each from a seed.

use super::smith::bytes;

/// The module of a seed that does little but use tables: their elements, bounds, growth and segments, and calls through them.
pub fn module(seed: u64) -> Vec<u8> {
    let noise = bytes(seed, 400);
    let mut noise = noise.into_iter();
    let mut pick = |choices: u8| noise.next().unwrap_or_default() % choices;
    let mut code = String::new();
    for _ in 0..12 + seed % 20 {
        let table = ["$a", "$b", "$c"][pick(3) as usize];
        let (i, j, n) = (pick(12), pick(12), pick(7));
        let function = ["(ref.func $one)", "(ref.func $two)", "(ref.func $long)", "(ref.null func)"][pick(4) as usize];
        code += &match pick(12) {
            0 | 1 => format!("(table.set {table} (i32.const {i}) {function})"),
            2 => format!("(call $put (ref.is_null (table.get {table} (i32.const {i}))))"),
            3 => format!("(call $put (table.grow {table} {function} (i32.const {n})))"),
            4 => format!("(call $put (table.size {table}))"),
            5 => format!("(table.fill {table} (i32.const {i}) {function} (i32.const {n}))"),
            6 => format!("(table.copy {table} $b (i32.const {i}) (i32.const {j}) (i32.const {n}))"),
            7 => format!("(table.init {table} $later (i32.const {i}) (i32.const {}) (i32.const {}))", j % 4, n % 4),
            8 if n == 0 => "(elem.drop $later)".to_owned(),
            9 => format!(
                "(call $put (i32.wrap_i64 (call_indirect {table} (type $long) (i64.const {j}) (i32.const {i}))))"
            ),
            _ => format!("(call $put (call_indirect {table} (type $number) (i32.const {j}) (i32.const {i})))"),
        };
    }
    let text = format!(
        r#"(module (type $number (func (param i32) (result i32))) (type $long (func (param i64) (result i64)))
          (import "cairn" "output_write" (func $write (param i32 i32))) (memory 1)
          (table $a 10 20 funcref) (table $b 12 funcref) (table $c 8 10 funcref)
          (elem (table $a) (i32.const 0) func $one $one $two $long $one $two $one $one $two $one)
          (elem (table $b) (i32.const 1) func $one $two $one $two $one $two $long)
          (elem (table $c) (i32.const 0) func $two $two $two $two $two $two $two)
          (elem $later func $one $two $long)
          (func $put (param i32) (i32.store (i32.const 0) (local.get 0)) (call $write (i32.const 0) (i32.const 4)))
          (func $one (type $number) (i32.add (local.get 0) (i32.const 1)))
          (func $two (type $number) (i32.mul (local.get 0) (i32.const 2)))
          (func $long (type $long) (i64.sub (local.get 0) (i64.const 1)))
          (func (export "run") {code}))"#
    );
    wat::parse_str(text).unwrap()
}
