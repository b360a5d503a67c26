//! Plans: what each operation needs to turn JSON into values and back, worked out once at publication.

use std::sync::Arc;

use truc_contract::{
    Contract, ErrorCase, Operation, Parameter, PayloadMeaning, Place, Type, TypeId, TypeKind, model,
};

use crate::mask::{Mask, Masks};
use crate::rules::{Integer, SizeRules, TextRules};

/// The plan of one operation.
pub(crate) struct OperationPlan {
    pub(crate) parameters: Vec<ParameterPlan>,
    pub(crate) body: BodyPlan,
    pub(crate) ok: Option<Node>,
    pub(crate) fallible: model::Fallible,
    pub(crate) errors: Vec<ErrorPlan>,
    /// Where personal data stands in each parameter.
    pub(crate) masks: Vec<Mask>,
}

/// What the request's body holds.
pub(crate) enum BodyPlan {
    /// Nothing is read from it.
    None,
    /// An object with the parameters whose place is [`Place::Member`]: their fields, and where each stands among the
    /// parameters.
    Members(Fields, Vec<usize>),
    /// The parameter at this index.
    Whole(usize),
}

pub(crate) struct ParameterPlan {
    pub(crate) json: Arc<str>,
    pub(crate) place: Place,
    pub(crate) node: Node,
}

pub(crate) struct ErrorPlan {
    pub(crate) name: Arc<str>,
    pub(crate) title: String,
    pub(crate) status: u16,
    pub(crate) payload: Option<Node>,
    pub(crate) meaning: PayloadMeaning,
}

/// How one type reads and writes. Small, and cheap to clone.
#[derive(Clone)]
pub(crate) enum Node {
    Bool,
    Integer(Integer),
    F32,
    F64,
    Char,
    String(Option<Arc<TextRules>>),
    Bytes(SizeRules),
    List(Arc<Node>, SizeRules),
    Tuple(Arc<[Node]>),
    Option(Arc<Node>),
    Result(Option<Arc<Node>>, Option<Arc<Node>>),
    Record(Arc<Fields>),
    Variant(Arc<Cases>),
    Enum(Arc<Names>),
    Flags(Arc<Names>),
}

/// The fields of a record, or the parameters that make up a body.
pub(crate) struct Fields {
    pub(crate) list: Box<[FieldPlan]>,
    /// Their names in JSON.
    pub(crate) names: Names,
}

pub(crate) struct FieldPlan {
    pub(crate) name: Arc<str>,
    pub(crate) json: Arc<str>,
    /// The member's name as it mostly stands in JSON: quoted, with its colon. Names have nothing to escape.
    pub(crate) key: Box<[u8]>,
    pub(crate) node: Node,
}

/// The cases of a variant.
pub(crate) struct Cases {
    /// What each carries.
    pub(crate) payloads: Box<[Option<Node>]>,
    pub(crate) names: Names,
}

impl Fields {
    fn new(list: Box<[FieldPlan]>) -> Self {
        let names = Names::new(list.iter().map(|field| field.json.clone()));
        Self { list, names }
    }
}

/// Names that are looked up, in the order of the contract.
pub(crate) struct Names {
    list: Box<[Arc<str>]>,
    /// Their places in the list, in the order of the names; empty where looking at each is as quick.
    sorted: Box<[usize]>,
}

impl Names {
    /// Up to this many names are looked at one by one.
    const FEW: usize = 8;

    fn new(names: impl Iterator<Item = Arc<str>>) -> Self {
        let list: Box<[Arc<str>]> = names.collect();
        let mut sorted: Vec<usize> =
            if list.len() > Self::FEW { (0..list.len()).collect() } else { Vec::new() };
        sorted.sort_unstable_by_key(|at| list.get(*at));
        Self { list, sorted: sorted.into() }
    }

    /// The place of a name in the list.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        if self.sorted.is_empty() {
            return self.list.iter().position(|known| **known == *name);
        }
        let known = |at: &usize| self.list.get(*at).map_or("", |known| known);
        let found = self.sorted.binary_search_by(|at| known(at).cmp(name)).ok()?;
        self.sorted.get(found).copied()
    }

    /// The name at a place.
    pub(crate) fn get(&self, at: usize) -> Option<&str> {
        self.list.get(at).map(AsRef::as_ref)
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// All names, for people.
    pub(crate) fn listed(&self) -> String {
        self.list.join(", ")
    }
}

/// Builds the plans of a contract's operations, in their order.
pub(crate) fn plan(contract: &Contract) -> Vec<OperationPlan> {
    let (known, masks) = (vec![None; contract.types.len()], Masks::new(contract));
    let mut planner = Planner { contract, known, masks };
    contract.operations.iter().map(|operation| planner.operation(operation)).collect()
}

struct Planner<'a> {
    contract: &'a Contract,
    /// Nodes of named types without outer rules, built once and shared.
    known: Vec<Option<Node>>,
    masks: Masks<'a>,
}

impl Planner<'_> {
    fn operation(&mut self, operation: &Operation) -> OperationPlan {
        let parameters: Vec<ParameterPlan> = operation.parameters.iter().map(|p| self.parameter(p)).collect();
        let at = |place| {
            let parameters = operation.parameters.iter().enumerate();
            parameters.filter(move |(_, parameter)| parameter.place == place).map(|(index, _)| index)
        };
        let members: Vec<usize> = at(Place::Member).collect();
        let body = match at(Place::Body).next() {
            Some(index) => BodyPlan::Whole(index),
            None if members.is_empty() => BodyPlan::None,
            None => {
                let fields = members.iter().filter_map(|index| parameters.get(*index));
                let fields = fields.map(|parameter| {
                    FieldPlan::new(parameter.json.clone(), parameter.json.clone(), parameter.node.clone())
                });
                BodyPlan::Members(Fields::new(fields.collect()), members)
            }
        };
        let masks = operation.parameters.iter();
        OperationPlan {
            masks: masks.map(|parameter| self.masks.of(&parameter.ty, &parameter.rules)).collect(),
            parameters,
            body,
            ok: operation.ok.as_ref().map(|ty| self.node(ty, &model::Rules::default())),
            fallible: operation.fallible,
            errors: operation.errors.iter().map(|case| self.error(case)).collect(),
        }
    }

    fn parameter(&mut self, parameter: &Parameter) -> ParameterPlan {
        ParameterPlan {
            json: parameter.json.clone(),
            place: parameter.place,
            node: self.node(&parameter.ty, &parameter.rules),
        }
    }

    fn error(&mut self, case: &ErrorCase) -> ErrorPlan {
        ErrorPlan {
            name: case.name.clone(),
            title: truc_contract::first_sentence(&case.docs),
            status: case.status,
            payload: case.payload.as_ref().map(|ty| self.node(ty, &model::Rules::default())),
            meaning: self.contract.payload_meaning(case),
        }
    }

    /// The node of a type under the rules of the place it stands in.
    fn node(&mut self, ty: &Type, rules: &model::Rules) -> Node {
        let rules = &rules.over(&self.contract.rules_of(ty));
        match self.contract.resolve(ty) {
            Type::Bool => Node::Bool,
            Type::U8 => Node::Integer(Integer::u8(rules)),
            Type::U16 => Node::Integer(Integer::u16(rules)),
            Type::U32 => Node::Integer(Integer::u32(rules)),
            Type::U64 => Node::Integer(Integer::u64(rules)),
            Type::S8 => Node::Integer(Integer::s8(rules)),
            Type::S16 => Node::Integer(Integer::s16(rules)),
            Type::S32 => Node::Integer(Integer::s32(rules)),
            Type::S64 => Node::Integer(Integer::s64(rules)),
            Type::F32 => Node::F32,
            Type::F64 => Node::F64,
            Type::Char => Node::Char,
            Type::String => Node::String(TextRules::of(rules)),
            Type::Bytes => Node::Bytes(rules.into()),
            Type::List(item) => Node::List(Arc::new(self.bare(item)), rules.into()),
            Type::Tuple(items) => Node::Tuple(items.iter().map(|item| self.bare(item)).collect()),
            // Rules on an option are rules on what it holds.
            Type::Option(inner) => Node::Option(Arc::new(self.node(inner, rules))),
            Type::Result(ok, err) => {
                let mut side = |ty: &Option<Box<Type>>| ty.as_ref().map(|ty| Arc::new(self.bare(ty)));
                Node::Result(side(ok), side(err))
            }
            Type::Named(id) => self.named(*id),
        }
    }

    fn bare(&mut self, ty: &Type) -> Node {
        self.node(ty, &model::Rules::default())
    }

    /// The node of a record, variant, enumeration or flags; aliases are resolved before.
    fn named(&mut self, id: TypeId) -> Node {
        if let Some(Some(known)) = self.known.get(id.0) {
            return known.clone();
        }
        let contract = self.contract;
        let node = match contract.named(id).map(|definition| &definition.kind) {
            Some(TypeKind::Record(fields)) => {
                let fields = fields.iter().map(|field| {
                    FieldPlan::new(field.name.clone(), field.json.clone(), self.node(&field.ty, &field.rules))
                });
                Node::Record(Arc::new(Fields::new(fields.collect())))
            }
            Some(TypeKind::Variant(cases)) => Node::Variant(Arc::new(Cases {
                payloads: cases.iter().map(|case| case.payload.as_ref().map(|ty| self.bare(ty))).collect(),
                names: Names::new(cases.iter().map(|case| case.name.clone())),
            })),
            Some(TypeKind::Enum(labels)) => Node::Enum(names(labels)),
            Some(TypeKind::Flags(labels)) => Node::Flags(names(labels)),
            Some(TypeKind::Alias(target)) => self.bare(target),
            // Every identifier in a contract was given out by the list it points into.
            None => Node::Tuple(Arc::new([])),
        };
        if let Some(slot) = self.known.get_mut(id.0) {
            *slot = Some(node.clone());
        }
        node
    }
}

impl FieldPlan {
    fn new(name: Arc<str>, json: Arc<str>, node: Node) -> Self {
        let key = format!("\"{json}\":").into_bytes().into();
        Self { name, json, key, node }
    }
}

fn names(labels: &[model::Label]) -> Arc<Names> {
    Arc::new(Names::new(labels.iter().map(|label| label.name.clone())))
}
