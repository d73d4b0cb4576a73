;; A function that calls itself until the stack is spent: how deep that is, is law.
(module
  (global $depth (export "depth") (mut i32) (i32.const 0))
  (func $deeper (param i32 i64) (local i32 i32)
    (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
    (call $deeper (i32.const 1) (i64.const 2)))
  (func (export "run") (call $deeper (i32.const 1) (i64.const 2))))
