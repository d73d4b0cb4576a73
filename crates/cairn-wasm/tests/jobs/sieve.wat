;; The primes below 2,000, two bytes each: a kernel like those of real jobs.
(module
  (import "cairn" "output_write" (func $write (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "run") (local $n i32) (local $m i32)
    (local.set $n (i32.const 2))
    (loop $numbers
      (if (i32.eqz (i32.load8_u (local.get $n)))
        (then
          (i32.store16 (i32.const 4000) (local.get $n))
          (call $write (i32.const 4000) (i32.const 2))
          (local.set $m (i32.mul (local.get $n) (local.get $n)))
          (block $done
            (loop $multiples
              (br_if $done (i32.ge_u (local.get $m) (i32.const 2000)))
              (i32.store8 (local.get $m) (i32.const 1))
              (local.set $m (i32.add (local.get $m) (local.get $n)))
              (br $multiples)))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $numbers (i32.lt_u (local.get $n) (i32.const 2000))))))
