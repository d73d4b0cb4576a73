//! Modules that nobody would write, each from a seed: made by `wasm-smith` around a `main` that gives values of every type,
//! then given a `run` that calls it and writes its results and a page of memory, so that any difference in a value shows.

use arbitrary::Unstructured;
use wasm_smith::Module;
use wasmparser::{Parser, Payload};

/// What each module imports and exports.
fn shape(floats: bool) -> Vec<u8> {
    let results = if floats { "i32 i64 f32 f64" } else { "i32 i64 i32 i64" };
    let text = format!(
        r#"(module
            (import "cairn" "output_write" (func (param i32 i32)))
            (import "cairn" "input_count" (func (result i32)))
            (import "cairn" "input_len" (func (param i32) (result i32)))
            (import "cairn" "input_read" (func (param i32 i32 i32 i32) (result i32)))
            (import "cairn" "arguments_len" (func (result i32)))
            (import "cairn" "arguments_read" (func (param i32 i32 i32) (result i32)))
            (import "cairn" "random" (func (param i32 i32)))
            (memory (export "memory") 1 3)
            (func (export "main") (result {results}) unreachable)
            (func (export "nothing")))"#
    );
    wat::parse_str(text).unwrap()
}

/// Bytes from a seed, by the generator that Steele, Lea and Flood call SplitMix64.
pub fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let words = core::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    });
    words.flat_map(u64::to_le_bytes).take(length).collect()
}

/// The module of a seed, or nothing where the bytes did not suffice for one.
pub fn module(seed: u64, floats: bool) -> Option<Vec<u8>> {
    let entropy = bytes(seed, 512 + (seed % 7 * 1024) as usize);
    let config = wasm_smith::Config {
        module_shape: Some(shape(floats)),
        allow_floats: floats,
        disallow_traps: seed.is_multiple_of(3),
        bulk_memory_enabled: true,
        // They come with `externref`, which is refused: operations on references have a generator of their own.
        reference_types_enabled: false,
        multi_value_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        simd_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        tail_call_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        extended_const_enabled: false,
        wide_arithmetic_enabled: false,
        compact_imports_enabled: false,
        max_memories: 1,
        max_tables: 3,
        min_funcs: 2,
        max_instructions: 200 + (seed % 5 * 100) as usize,
        max_table_elements: 200,
        min_uleb_size: [1, 1, 1, 5][(seed % 4) as usize],
        ..Default::default()
    };
    let made = Module::new(config, &mut Unstructured::new(&entropy)).ok()?;
    with_run(&made.to_bytes(), floats)
}

fn leb(out: &mut Vec<u8>, mut value: usize) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn section(out: &mut Vec<u8>, id: u8, count: u32, items: &[u8], more: &[u8]) {
    let mut content = Vec::new();
    leb(&mut content, count as usize + 1);
    content.extend_from_slice(items);
    content.extend_from_slice(more);
    out.push(id);
    leb(out, content.len());
    out.extend_from_slice(&content);
}

/// Appends a function `run` to a module of that [`shape`].
fn with_run(module: &[u8], floats: bool) -> Option<Vec<u8>> {
    let (mut main, mut nothing, mut imported) = (None, None, 0);
    let mut types = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::ImportSection(reader) => imported = reader.count(),
            Payload::FunctionSection(reader) => types = reader.into_iter().collect::<Result<_, _>>().ok()?,
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export.ok()?;
                    match export.name {
                        "main" => main = Some(export.index),
                        "nothing" => nothing = Some(export.index),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let of = *types.get((nothing? - imported) as usize)?;
    let body = run_body(main?, floats);
    let mut out = b"\0asm\x01\0\0\0".to_vec();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.ok()?;
        match &payload {
            Payload::FunctionSection(reader) => {
                let mut more = Vec::new();
                leb(&mut more, of as usize);
                let items = &module[reader.original_position()..reader.range().end];
                section(&mut out, 3, reader.count(), items, &more);
            }
            Payload::ExportSection(reader) => {
                let mut more = b"\x03run\0".to_vec();
                leb(&mut more, imported as usize + types.len());
                let items = &module[reader.original_position()..reader.range().end];
                section(&mut out, 7, reader.count(), items, &more);
            }
            Payload::CodeSectionStart { count, range, .. } => {
                let mut items = &module[range.clone()];
                while items.first()? & 0x80 != 0 {
                    items = &items[1..];
                }
                section(&mut out, 10, *count, &items[1..], &body);
            }
            Payload::CodeSectionEntry(_) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    out.push(id);
                    leb(&mut out, range.len());
                    out.extend_from_slice(&module[range]);
                }
            }
        }
    }
    Some(out)
}

/// Calls `main`, stores its four results at 0, 8, 16 and 24, and writes the first page.
fn run_body(main: u32, floats: bool) -> Vec<u8> {
    let (third, fourth, store_third, store_fourth) =
        if floats { (0x7d, 0x7c, 0x38, 0x39) } else { (0x7f, 0x7e, 0x36, 0x37) };
    let mut code = vec![4, 1, 0x7f, 1, 0x7e, 1, third, 1, fourth];
    code.push(0x10);
    leb(&mut code, main as usize);
    code.extend_from_slice(&[0x21, 3, 0x21, 2, 0x21, 1, 0x21, 0]);
    for (local, store, align, offset) in
        [(0, 0x36, 2, 0), (1, 0x37, 3, 8), (2, store_third, 2, 16), (3, store_fourth, 3, 24)]
    {
        code.extend_from_slice(&[0x41, 0, 0x20, local, store, align, offset]);
    }
    code.extend_from_slice(&[0x41, 0, 0x41, 0x80, 0x80, 0x04, 0x10, 0, 0x0b]);
    let mut body = Vec::new();
    leb(&mut body, code.len());
    body.extend_from_slice(&code);
    body
}
