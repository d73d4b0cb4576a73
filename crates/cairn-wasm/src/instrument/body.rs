//! One function's body: validated, and written again with its charges, in one walk.
//!
//! A basic block is charged whole where it begins, so that gas is the same wherever an engine stops in it. Code that cannot
//! be reached is validated and left out. Around each call of one of the module's own functions, the caller's frame is
//! taken from the stack; a function that calls none never takes any, and its frame is bounded by [`LOCALS_MAX`] and
//! [`OPERANDS_MAX`].

use wasmparser::{BlockType, FuncValidator, FuncValidatorAllocations, FunctionBody, Operator, ValidatorResources};

use super::encode::{Code, I32, I64, Patch, sized, unsigned};
use super::injected::{Places, charge, enter_call, leave_call};
use crate::gas::{
    BRANCH_TARGETS_MAX, FRAME_SLOTS, GAS_ENTRY, LOCALS_MAX, NESTING_MAX, OPERANDS_MAX, SITES_MAX, VALUES_A_SITE,
    operation,
};
use crate::outcome::Refusal;

/// The number of values that a function type takes and gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arity {
    /// Parameters.
    pub parameters: u32,
    /// Results.
    pub results: u32,
}

/// What a body needs to know of its module.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// By type index.
    pub types: &'a [Arity],
    /// Type indices by function index, imported functions first.
    pub functions: &'a [u32],
    /// How many functions are imported.
    pub imported: u32,
    /// Where the injected things are.
    pub places: Places,
}

impl Context<'_> {
    fn type_arity(&self, index: u32) -> Arity {
        self.types.get(index as usize).copied().unwrap_or_default()
    }

    fn function_arity(&self, index: u32) -> Arity {
        self.functions.get(index as usize).map(|of| self.type_arity(*of)).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Block,
    Loop,
    If,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    kind: Kind,
    /// How many values a branch to it carries.
    carries: u32,
    /// Whether a branch to it was met.
    targeted: bool,
}

/// Writes one body after its length. `sites` counts what is metered in the whole module.
///
/// # Errors
/// The first [`Refusal`] that applies.
pub fn meter(
    body: &FunctionBody<'_>,
    module: &[u8],
    mut validator: FuncValidator<ValidatorResources>,
    context: Context<'_>,
    sites: &mut u32,
    out: &mut Vec<u8>,
) -> Result<FuncValidatorAllocations, Refusal> {
    let invalid = |_| Refusal::Invalid;
    let parameters = validator.len_locals();
    let mut declared = 0u32;
    let mut groups = Vec::new();
    for group in body.get_locals_reader().map_err(invalid)? {
        let (count, of) = group.map_err(invalid)?;
        declared = declared.checked_add(count).filter(|sum| *sum <= LOCALS_MAX).ok_or(Refusal::Locals)?;
        groups.push((count, of));
    }
    let locals = parameters.saturating_add(declared);
    if locals > LOCALS_MAX {
        return Err(Refusal::Locals);
    }
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader).map_err(invalid)?;

    let function = context.function_arity(validator.index());
    let mut meter = Meter {
        context,
        code: Code(Vec::with_capacity(body.range().len().saturating_mul(2))),
        frames: vec![Frame { kind: Kind::Block, carries: function.results, targeted: false }],
        dead: None,
        open: None,
        cost: 0,
        begins: true,
        calls: Vec::new(),
        operands: 0,
        scratch: locals,
        sites,
    };
    unsigned(&mut meter.code.0, u32::try_from(groups.len() + 2).map_err(|_| Refusal::Locals)?);
    for (count, of) in groups {
        unsigned(&mut meter.code.0, count);
        meter.code.op(super::encode::value_type(of));
    }
    meter.code.op(2).op(I64).op(1).op(I32);
    meter.spend(GAS_ENTRY + u64::from(declared))?;

    let mut operators = body.get_operators_reader().map_err(invalid)?;
    while !operators.eof() {
        let (operator, at) = operators.read_with_offset().map_err(invalid)?;
        if let Operator::BrTable { targets } = &operator
            && targets.len() > BRANCH_TARGETS_MAX
        {
            return Err(Refusal::BranchTargets);
        }
        validator.op(at, &operator).map_err(invalid)?;
        if validator.control_stack_height() > NESTING_MAX {
            return Err(Refusal::Nesting);
        }
        let raw = &module[at..operators.original_position()];
        meter.operator(&operator, raw)?;
        if meter.dead.is_none() {
            meter.operands = meter.operands.max(validator.operand_stack_height());
        }
        if meter.operands > OPERANDS_MAX {
            return Err(Refusal::Operands);
        }
    }
    validator.finish(operators.original_position()).map_err(invalid)?;
    let frame = u64::from(FRAME_SLOTS) + u64::from(locals) + u64::from(meter.operands);
    let Meter { mut code, calls, .. } = meter;
    for call in calls {
        code.patch(call, frame);
    }
    sized(out, &code.0);
    Ok(validator.into_allocations())
}

struct Meter<'a> {
    context: Context<'a>,
    code: Code,
    frames: Vec<Frame>,
    /// Blocks opened since code stopped being reachable, where it did.
    dead: Option<u32>,
    /// Where the charge of the block at hand stands.
    open: Option<Patch>,
    /// The gas of the block at hand.
    cost: u64,
    /// Whether a block begins with the next operation that costs anything.
    begins: bool,
    calls: Vec<Patch>,
    /// The deepest operand stack so far.
    operands: u32,
    /// The first of the three locals that are added: what is left; after it what was there before a call; and the condition
    /// of a `select`.
    scratch: u32,
    sites: &'a mut u32,
}

impl Meter<'_> {
    fn site(&mut self) -> Result<(), Refusal> {
        self.count_sites(1)
    }

    fn count_sites(&mut self, more: u32) -> Result<(), Refusal> {
        *self.sites = self.sites.saturating_add(more);
        if *self.sites > SITES_MAX { Err(Refusal::Sites) } else { Ok(()) }
    }

    /// Adds to the charge of the block at hand.
    fn spend(&mut self, gas: u64) -> Result<(), Refusal> {
        if gas > 0 && self.begins {
            self.site()?;
            self.begins = false;
            self.cost = 0;
            self.open = Some(charge(&mut self.code, self.context.places, self.scratch));
        }
        self.cost += gas;
        Ok(())
    }

    /// Ends the block at hand: another begins.
    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.code.patch(open, self.cost);
        }
        self.begins = true;
    }

    /// What a block takes and gives. All its values are checked and moved, so that a wide one counts as several sites.
    fn arity(&mut self, of: BlockType) -> Result<Arity, Refusal> {
        let arity = match of {
            BlockType::Empty => Arity::default(),
            BlockType::Type(_) => Arity { parameters: 0, results: 1 },
            BlockType::FuncType(index) => self.context.type_arity(index),
        };
        self.count_sites((arity.parameters + arity.results) / VALUES_A_SITE)?;
        Ok(arity)
    }

    /// Opens a block.
    fn push(&mut self, kind: Kind, of: BlockType) -> Result<(), Refusal> {
        let arity = self.arity(of)?;
        let carries = if kind == Kind::Loop { arity.parameters } else { arity.results };
        self.frames.push(Frame { kind, carries, targeted: false });
        Ok(())
    }

    /// Notes a branch to that many blocks outwards, and says how many values it carries.
    fn branch(&mut self, depth: u32) -> u64 {
        let outermost_first = self.frames.len().checked_sub(depth as usize + 1);
        let Some(frame) = outermost_first.and_then(|at| self.frames.get_mut(at)) else { return 0 };
        frame.targeted = true;
        u64::from(frame.carries)
    }

    fn raw(&mut self, raw: &[u8]) {
        self.code.0.extend_from_slice(raw);
    }

    /// Writes what stands after code that cannot be reached, if it can be.
    fn unreachable(&mut self, operator: &Operator<'_>, raw: &[u8], depth: u32) -> Result<(), Refusal> {
        match operator {
            Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                self.arity(*blockty)?;
                self.dead = Some(depth + 1);
            }
            Operator::Else if depth == 0 => {
                self.dead = None;
                self.raw(raw);
            }
            Operator::End if depth == 0 => {
                self.dead = None;
                self.frames.pop();
                self.raw(raw);
            }
            Operator::End => self.dead = Some(depth - 1),
            _ => {}
        }
        Ok(())
    }

    /// Writes one operation that is valid.
    fn operator(&mut self, operator: &Operator<'_>, raw: &[u8]) -> Result<(), Refusal> {
        use Operator as O;
        if let Some(depth) = self.dead {
            return self.unreachable(operator, raw, depth);
        }
        let gas = operation(operator);
        match operator {
            O::Block { blockty } => {
                self.push(Kind::Block, *blockty)?;
                self.raw(raw);
            }
            O::Loop { blockty } => {
                self.close();
                self.push(Kind::Loop, *blockty)?;
                self.raw(raw);
            }
            O::If { blockty } => {
                self.spend(gas)?;
                self.close();
                self.push(Kind::If, *blockty)?;
                self.raw(raw);
            }
            O::Else => {
                self.close();
                self.raw(raw);
            }
            O::End => {
                let ended = self.frames.pop();
                if ended.is_none_or(|frame| frame.kind == Kind::If || (frame.targeted && frame.kind == Kind::Block)) {
                    self.close();
                }
                if self.frames.is_empty() {
                    self.close();
                }
                self.raw(raw);
            }
            O::Br { relative_depth } | O::BrIf { relative_depth } => {
                let carried = self.branch(*relative_depth);
                self.leave(gas + carried, raw, matches!(operator, O::Br { .. }))?;
            }
            O::BrTable { targets } => {
                let mut carried = self.branch(targets.default());
                let values = carried.saturating_mul(u64::from(targets.len()));
                self.count_sites(u32::try_from(values / u64::from(VALUES_A_SITE)).unwrap_or(SITES_MAX))?;
                for target in targets.targets() {
                    carried = carried.max(self.branch(target.map_err(|_| Refusal::Invalid)?));
                }
                self.leave(gas + carried, raw, true)?;
            }
            O::Return => {
                let carried = self.frames.first().map_or(0, |frame| u64::from(frame.carries));
                self.leave(gas + carried, raw, true)?;
            }
            O::Unreachable => self.leave(gas, raw, true)?,
            _ => return self.plain(operator, raw, gas),
        }
        Ok(())
    }

    /// Writes an operation after which the block at hand is over, perhaps with nothing to follow.
    fn leave(&mut self, gas: u64, raw: &[u8], always: bool) -> Result<(), Refusal> {
        self.spend(gas)?;
        self.raw(raw);
        self.close();
        if always {
            self.dead = Some(0);
        }
        Ok(())
    }

    /// Writes an operation that the block at hand goes on after.
    fn plain(&mut self, operator: &Operator<'_>, raw: &[u8], gas: u64) -> Result<(), Refusal> {
        use Operator as O;
        let places = self.context.places;
        match operator {
            O::Call { function_index } => {
                let arity = self.context.function_arity(*function_index);
                self.spend(gas + u64::from(arity.parameters) + u64::from(arity.results))?;
                if *function_index < self.context.imported {
                    self.raw(raw);
                    return Ok(());
                }
                self.guarded(raw)
            }
            O::CallIndirect { type_index, .. } => {
                let arity = self.context.type_arity(*type_index);
                self.spend(gas + u64::from(arity.parameters) + u64::from(arity.results))?;
                self.guarded(raw)
            }
            O::MemoryGrow { .. } => {
                self.spend(gas)?;
                self.code.call(places.grow_memory());
                Ok(())
            }
            O::TableGrow { table } => {
                self.spend(gas)?;
                self.code.call(places.grow_table(*table));
                Ok(())
            }
            O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => {
                self.spend(gas)?;
                self.code.call(places.charge_bytes());
                self.raw(raw);
                Ok(())
            }
            O::Select | O::TypedSelect { .. } => {
                self.spend(gas)?;
                // The condition goes through a local: wasmi 2.0.0 takes a stale register for one that compares a local with
                // zero right before the `select`.
                self.code.local_tee(self.scratch + 2);
                self.raw(raw);
                Ok(())
            }
            O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } => {
                self.spend(gas)?;
                self.code.call(places.charge_elements());
                self.raw(raw);
                Ok(())
            }
            _ => {
                self.spend(gas)?;
                self.raw(raw);
                Ok(())
            }
        }
    }

    /// Writes a call of one of the module's own functions, or through a table.
    fn guarded(&mut self, raw: &[u8]) -> Result<(), Refusal> {
        self.site()?;
        let call = enter_call(&mut self.code, self.context.places, self.scratch, self.scratch + 1);
        self.calls.push(call);
        self.raw(raw);
        leave_call(&mut self.code, self.context.places, self.scratch + 1);
        Ok(())
    }
}
