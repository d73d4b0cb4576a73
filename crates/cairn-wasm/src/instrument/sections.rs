//! The sections of a module: their limits, what is remembered of them, and the instrumented module made of them.

use wasmparser::{
    CompositeInnerType, ConstExpr, Data, DataKind, Element, ElementItems, ElementKind, ExternalKind, FromReader,
    FuncValidator, FuncValidatorAllocations, FunctionBody, MemoryType, Operator, Payload, SectionLimited, TableInit,
    TableType, TypeRef, ValType, ValidatorResources,
};

use super::body::{Arity, Context, meter};
use super::encode::{FUNCREF, limits, section, sized, unsigned};
use super::injected::{self, GLOBALS, GLOBALS_COUNT, Places, TYPE_GROW_TABLE, TYPE_LENGTH, TYPE_NOTHING};
use super::{
    EXPORT_FAILED, EXPORT_GAS, EXPORT_HOOKS, EXPORT_MEMORY, EXPORT_RUN, EXPORT_STACK, EXPORT_START, Instrumented,
    RESERVED,
};
use crate::gas::{
    EXPORTS_MAX, FUNCTIONS_MAX, GAS_ELEMENT, GAS_PAGE, GLOBALS_MAX, IMPORTS_MAX, SEGMENT_ELEMENTS_MAX, SEGMENTS_MAX,
    TABLE_ELEMENTS_MAX, TABLES_MAX, TYPES_MAX, VALUES_MAX,
};
use crate::host::{Call, MODULE};
use crate::outcome::Refusal;

/// Items of a section as they stand, and how many they are.
#[derive(Debug, Clone, Copy, Default)]
struct Items<'m> {
    count: u32,
    bytes: &'m [u8],
}

impl Items<'_> {
    /// Writes them as a section, with more behind them.
    fn write(self, out: &mut Vec<u8>, id: u8, more: u32, bytes: &[u8]) {
        if self.count + more == 0 {
            return;
        }
        let mut content = Vec::with_capacity(self.bytes.len() + bytes.len() + 5);
        unsigned(&mut content, self.count + more);
        content.extend_from_slice(self.bytes);
        content.extend_from_slice(bytes);
        section(out, id, &content);
    }
}

/// A table as the guest declares it, its maximum no higher than the limit.
#[derive(Debug, Clone, Copy)]
struct Table {
    minimum: u32,
    maximum: u32,
}

/// What was met of a module.
pub struct Sections<'m> {
    module: &'m [u8],
    pages: u32,
    types: Items<'m>,
    arities: Vec<Arity>,
    import_items: Items<'m>,
    imports: Vec<Call>,
    function_items: Items<'m>,
    /// Type indices, imported functions first.
    functions: Vec<u32>,
    tables: Vec<Table>,
    /// Minimum and maximum, in pages.
    memory: Option<(u32, u32)>,
    globals: Items<'m>,
    exports: Items<'m>,
    run: Option<u32>,
    start: Option<u32>,
    elements: Items<'m>,
    data_count: Option<u32>,
    data: Items<'m>,
    code: Vec<u8>,
    bodies: u32,
    sites: u32,
}

fn invalid<E>(_: E) -> Refusal {
    Refusal::Invalid
}

fn at_most(count: u32, most: u32, otherwise: Refusal) -> Result<(), Refusal> {
    if count > most { Err(otherwise) } else { Ok(()) }
}

impl<'m> Sections<'m> {
    /// Nothing met yet.
    pub fn of(module: &'m [u8], pages: u32) -> Self {
        Self {
            module,
            pages,
            types: Items::default(),
            arities: Vec::new(),
            import_items: Items::default(),
            imports: Vec::new(),
            function_items: Items::default(),
            functions: Vec::new(),
            tables: Vec::new(),
            memory: None,
            globals: Items::default(),
            exports: Items::default(),
            run: None,
            start: None,
            elements: Items::default(),
            data_count: None,
            data: Items::default(),
            code: Vec::new(),
            bodies: 0,
            sites: 0,
        }
    }

    fn items<T>(&self, reader: &SectionLimited<'m, T>) -> Items<'m> {
        Items { count: reader.count(), bytes: &self.module[reader.original_position()..reader.range().end] }
    }

    /// Holds a section to its limits, before it is validated.
    pub fn check(&self, payload: &Payload<'m>) -> Result<(), Refusal> {
        match payload {
            Payload::TypeSection(reader) => at_most(reader.count(), TYPES_MAX, Refusal::Types),
            Payload::ImportSection(reader) => at_most(reader.count(), IMPORTS_MAX, Refusal::Import),
            Payload::FunctionSection(reader) => at_most(reader.count(), FUNCTIONS_MAX, Refusal::Functions),
            Payload::TableSection(reader) => at_most(reader.count(), TABLES_MAX, Refusal::Tables),
            Payload::GlobalSection(reader) => at_most(reader.count(), GLOBALS_MAX, Refusal::Globals),
            Payload::ExportSection(reader) => at_most(reader.count(), EXPORTS_MAX, Refusal::Exports),
            Payload::ElementSection(reader) => at_most(reader.count(), SEGMENTS_MAX, Refusal::Segments),
            Payload::DataCountSection { count, .. } => at_most(*count, SEGMENTS_MAX, Refusal::Segments),
            Payload::DataSection(reader) => at_most(reader.count(), SEGMENTS_MAX, Refusal::Segments),
            _ => Ok(()),
        }
    }

    /// Remembers a section that is valid.
    pub fn keep(&mut self, payload: &Payload<'m>) -> Result<(), Refusal> {
        match payload {
            Payload::TypeSection(reader) => {
                self.types = self.items(reader);
                self.keep_types(reader.clone())
            }
            Payload::ImportSection(reader) => {
                self.import_items = self.items(reader);
                self.keep_imports(reader.clone())
            }
            Payload::FunctionSection(reader) => {
                self.function_items = self.items(reader);
                each(reader, |of| {
                    self.functions.push(of);
                    Ok(())
                })
            }
            Payload::TableSection(reader) => each(reader, |table| self.keep_table(table.ty, &table.init)),
            Payload::MemorySection(reader) => each(reader, |memory| self.keep_memory(memory)),
            Payload::GlobalSection(reader) => {
                self.globals = self.items(reader);
                Ok(())
            }
            Payload::ExportSection(reader) => {
                self.exports = self.items(reader);
                each(reader, |export| {
                    if export.name.starts_with(RESERVED) {
                        return Err(Refusal::ReservedName);
                    }
                    if export.name == EXPORT_RUN && export.kind == ExternalKind::Func {
                        self.run = Some(export.index);
                    }
                    Ok(())
                })
            }
            Payload::StartSection { func, .. } => {
                self.start = Some(*func);
                Ok(())
            }
            Payload::ElementSection(reader) => {
                self.elements = self.items(reader);
                let mut all = 0;
                each(reader, |element| self.check_element(&element, &mut all))
            }
            Payload::DataCountSection { count, .. } => {
                self.data_count = Some(*count);
                Ok(())
            }
            Payload::DataSection(reader) => {
                self.data = self.items(reader);
                each(reader, |data| self.check_data(&data))
            }
            _ => Ok(()),
        }
    }

    fn keep_types(&mut self, reader: wasmparser::TypeSectionReader<'m>) -> Result<(), Refusal> {
        for group in reader {
            for of in group.map_err(invalid)?.into_types() {
                let CompositeInnerType::Func(of) = of.composite_type.inner else { return Err(Refusal::Invalid) };
                let (parameters, results) = (of.params().len(), of.results().len());
                if parameters > VALUES_MAX || results > VALUES_MAX {
                    return Err(Refusal::Types);
                }
                let few = |count| u32::try_from(count).map_err(invalid);
                self.arities.push(Arity { parameters: few(parameters)?, results: few(results)? });
            }
        }
        Ok(())
    }

    fn keep_imports(&mut self, reader: wasmparser::ImportSectionReader<'m>) -> Result<(), Refusal> {
        // What a type is made of is read again from the section: types are not kept, since nothing else needs them.
        let mut types = Vec::new();
        let again = wasmparser::BinaryReader::new(self.types.bytes, 0);
        let mut again = again;
        for _ in 0..self.types.count {
            let group = wasmparser::RecGroup::from_reader(&mut again).map_err(invalid)?;
            types.extend(group.into_types());
        }
        for import in reader {
            let import = import.map_err(invalid)?;
            let TypeRef::Func(index) = import.ty else { return Err(Refusal::Import) };
            let call = Some(import.name).filter(|_| import.module == MODULE).and_then(Call::named);
            let call = call.ok_or(Refusal::Import)?;
            let of = types.get(index as usize).ok_or(Refusal::Invalid)?;
            let CompositeInnerType::Func(of) = &of.composite_type.inner else { return Err(Refusal::Invalid) };
            let integers = of.params().iter().chain(of.results()).all(|value| *value == ValType::I32);
            if !integers || of.params().len() != call.parameters() || of.results().len() != usize::from(call.answers())
            {
                return Err(Refusal::Import);
            }
            self.imports.push(call);
            self.functions.push(index);
        }
        Ok(())
    }

    fn keep_table(&mut self, table: TableType, init: &TableInit<'m>) -> Result<(), Refusal> {
        if !matches!(init, TableInit::RefNull) || !table.element_type.is_func_ref() || table.table64 || table.shared {
            return Err(Refusal::Invalid);
        }
        let minimum = u32::try_from(table.initial).map_err(invalid)?;
        at_most(minimum, TABLE_ELEMENTS_MAX, Refusal::Tables)?;
        let maximum = table.maximum.map_or(TABLE_ELEMENTS_MAX, |most| {
            u32::try_from(most).map_or(TABLE_ELEMENTS_MAX, |most| most.min(TABLE_ELEMENTS_MAX))
        });
        self.tables.push(Table { minimum, maximum });
        Ok(())
    }

    fn keep_memory(&mut self, memory: MemoryType) -> Result<(), Refusal> {
        let minimum = u32::try_from(memory.initial).map_err(invalid)?;
        at_most(minimum, self.pages, Refusal::Memory)?;
        let maximum = memory
            .maximum
            .map_or(self.pages, |most| u32::try_from(most).map_or(self.pages, |most| most.min(self.pages)));
        self.memory = Some((minimum, maximum));
        Ok(())
    }

    fn check_element(&self, element: &Element<'m>, all: &mut u32) -> Result<(), Refusal> {
        let count = match &element.items {
            ElementItems::Functions(items) => items.count(),
            ElementItems::Expressions(_, items) => items.count(),
        };
        *all = all.saturating_add(count);
        at_most(*all, SEGMENT_ELEMENTS_MAX, Refusal::Segments)?;
        let ElementKind::Active { table_index, offset_expr } = &element.kind else { return Ok(()) };
        let table = self.tables.get(table_index.unwrap_or(0) as usize).ok_or(Refusal::Invalid)?;
        fits(offset(offset_expr)?, count as usize, u64::from(table.minimum))
    }

    fn check_data(&self, data: &Data<'m>) -> Result<(), Refusal> {
        let DataKind::Active { offset_expr, .. } = &data.kind else { return Ok(()) };
        let (minimum, _) = self.memory.ok_or(Refusal::Invalid)?;
        fits(offset(offset_expr)?, data.data.len(), u64::from(minimum) << 16)
    }

    fn places(&self) -> Places {
        Places {
            types: self.types.count,
            functions: u32::try_from(self.functions.len()).expect("functions are limited"),
            globals: self.globals.count,
            table: u32::try_from(self.tables.len()).expect("tables are limited"),
        }
    }

    /// Validates and meters the next function.
    pub fn function(
        &mut self,
        body: &FunctionBody<'m>,
        validator: FuncValidator<ValidatorResources>,
    ) -> Result<FuncValidatorAllocations, Refusal> {
        let context = Context {
            types: &self.arities,
            functions: &self.functions,
            imported: u32::try_from(self.imports.len()).expect("imports are limited"),
            places: self.places(),
        };
        self.bodies += 1;
        meter(body, self.module, validator, context, &mut self.sites, &mut self.code)
    }

    /// Makes the instrumented module.
    pub fn finish(self) -> Result<Instrumented, Refusal> {
        let run = self.run.ok_or(Refusal::NoRun)?;
        let of = self.functions.get(run as usize).and_then(|of| self.arities.get(*of as usize));
        if of != Some(&Arity::default()) {
            return Err(Refusal::NoRun);
        }
        let (places, out) = (self.places(), &mut b"\0asm\x01\0\0\0".to_vec());
        self.types.write(out, 1, injected::TYPES_COUNT, injected::TYPES);
        self.import_items.write(out, 2, 0, &[]);
        let (count, types) = self.injected_functions(places);
        self.function_items.write(out, 3, count, &types);
        self.write_tables(out);
        if let Some((minimum, maximum)) = self.memory {
            let mut content = vec![1];
            limits(&mut content, minimum, maximum);
            section(out, 5, &content);
        }
        self.globals.write(out, 6, GLOBALS_COUNT, GLOBALS);
        let (count, exports) = self.injected_exports(places);
        self.exports.write(out, 7, count, &exports);
        self.elements.write(out, 9, 0, &[]);
        if let Some(count) = self.data_count {
            let mut content = Vec::new();
            unsigned(&mut content, count);
            section(out, 12, &content);
        }
        self.write_code(out, places);
        self.data.write(out, 11, 0, &[]);
        let elements: u64 = self.tables.iter().map(|table| u64::from(table.minimum)).sum();
        let pages = self.memory.map_or(0, |(minimum, _)| u64::from(minimum));
        Ok(Instrumented {
            bytes: core::mem::take(out),
            memory: self.memory.is_some(),
            start: self.start.is_some(),
            initial_gas: pages * GAS_PAGE + elements * GAS_ELEMENT,
            imports: self.imports,
        })
    }

    /// How many functions are added, and their types.
    fn injected_functions(&self, places: Places) -> (u32, Vec<u8>) {
        let mut of = vec![TYPE_NOTHING, TYPE_LENGTH, TYPE_LENGTH, TYPE_LENGTH];
        of.extend(self.tables.iter().map(|_| TYPE_GROW_TABLE));
        let mut types = Vec::new();
        for index in &of {
            unsigned(&mut types, places.types + index);
        }
        (u32::try_from(of.len()).expect("tables are limited"), types)
    }

    fn write_tables(&self, out: &mut Vec<u8>) {
        let mut content = Vec::new();
        unsigned(&mut content, u32::try_from(self.tables.len()).expect("tables are limited") + 1);
        for table in &self.tables {
            content.push(FUNCREF);
            limits(&mut content, table.minimum, table.maximum);
        }
        content.push(FUNCREF);
        limits(&mut content, 1, 1);
        section(out, 4, &content);
    }

    fn injected_exports(&self, places: Places) -> (u32, Vec<u8>) {
        const FUNCTION: u8 = 0;
        const TABLE: u8 = 1;
        const MEMORY: u8 = 2;
        const GLOBAL: u8 = 3;
        let mut exports = vec![
            (EXPORT_GAS, GLOBAL, places.gas()),
            (EXPORT_STACK, GLOBAL, places.stack()),
            (EXPORT_FAILED, GLOBAL, places.failed()),
            (EXPORT_HOOKS, TABLE, places.table),
        ];
        exports.extend(self.memory.map(|_| (EXPORT_MEMORY, MEMORY, 0)));
        exports.extend(self.start.map(|start| (EXPORT_START, FUNCTION, start)));
        let mut bytes = Vec::new();
        for (name, kind, index) in &exports {
            sized(&mut bytes, name.as_bytes());
            bytes.push(*kind);
            unsigned(&mut bytes, *index);
        }
        (u32::try_from(exports.len()).expect("there are six at most"), bytes)
    }

    fn write_code(&self, out: &mut Vec<u8>, places: Places) {
        let mut more = Vec::new();
        injected::refill(&mut more, places);
        injected::charge_bytes(&mut more, places);
        injected::charge_elements(&mut more, places);
        injected::grow_memory(&mut more, places, self.memory.map(|(_, maximum)| maximum));
        for (index, table) in (0u32..).zip(&self.tables) {
            injected::grow_table(&mut more, places, index, table.maximum);
        }
        let count = 4 + u32::try_from(self.tables.len()).expect("tables are limited");
        Items { count: self.bodies, bytes: &self.code }.write(out, 10, count, &more);
    }
}

/// Reads every item of a section.
fn each<'m, T: FromReader<'m>>(
    reader: &SectionLimited<'m, T>,
    mut item: impl FnMut(T) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    for read in reader.clone() {
        item(read.map_err(invalid)?)?;
    }
    Ok(())
}

/// The offset of an active segment: without imported globals it can only be a constant.
fn offset(expression: &ConstExpr<'_>) -> Result<u32, Refusal> {
    match expression.get_operators_reader().read().map_err(invalid)? {
        Operator::I32Const { value } => Ok(value.cast_unsigned()),
        _ => Err(Refusal::Invalid),
    }
}

fn fits(offset: u32, length: usize, size: u64) -> Result<(), Refusal> {
    if u64::from(offset) + length as u64 > size { Err(Refusal::SegmentOutOfBounds) } else { Ok(()) }
}
