//! Plans: what each operation needs to turn JSON into values and back, worked out once at publication.

use std::sync::Arc;

use truc_contract::{
    Contract, ErrorCase, Operation, Parameter, PayloadMeaning, Place, Type, TypeId, TypeKind, model,
};

use crate::rules::{NumberRules, SizeRules, TextRules};

/// The plan of one operation.
pub(crate) struct OperationPlan {
    pub(crate) parameters: Vec<ParameterPlan>,
    pub(crate) body: BodyPlan,
    pub(crate) ok: Option<Node>,
    pub(crate) fallible: model::Fallible,
    pub(crate) errors: Vec<ErrorPlan>,
}

/// What the request's body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyPlan {
    /// Nothing is read from it.
    None,
    /// An object with the parameters whose place is [`Place::Member`].
    Members,
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

/// How one type reads and writes.
#[derive(Clone)]
pub(crate) enum Node {
    Bool,
    U8(NumberRules),
    U16(NumberRules),
    U32(NumberRules),
    U64(NumberRules),
    S8(NumberRules),
    S16(NumberRules),
    S32(NumberRules),
    S64(NumberRules),
    F32,
    F64,
    Char,
    String(Option<Arc<TextRules>>),
    Bytes(SizeRules),
    List(Arc<Node>, SizeRules),
    Tuple(Arc<[Node]>),
    Option(Arc<Node>),
    Result(Option<Arc<Node>>, Option<Arc<Node>>),
    Record(Arc<[FieldPlan]>),
    Variant(Arc<[CasePlan]>),
    Enum(Arc<[Arc<str>]>),
    Flags(Arc<[Arc<str>]>),
}

pub(crate) struct FieldPlan {
    pub(crate) name: Arc<str>,
    pub(crate) json: Arc<str>,
    /// The member's name as it stands in an answer: quoted, with its colon.
    pub(crate) key: Box<[u8]>,
    pub(crate) node: Node,
}

pub(crate) struct CasePlan {
    pub(crate) name: Arc<str>,
    pub(crate) payload: Option<Node>,
}

/// Builds the plans of a contract's operations, in their order.
pub(crate) fn plan(contract: &Contract) -> Vec<OperationPlan> {
    let mut planner = Planner { contract, known: vec![None; contract.types.len()] };
    contract.operations.iter().map(|operation| planner.operation(operation)).collect()
}

struct Planner<'a> {
    contract: &'a Contract,
    /// Nodes of named types without outer rules, built once and shared.
    known: Vec<Option<Node>>,
}

impl Planner<'_> {
    fn operation(&mut self, operation: &Operation) -> OperationPlan {
        let parameters: Vec<ParameterPlan> = operation.parameters.iter().map(|p| self.parameter(p)).collect();
        let whole = operation.parameters.iter().position(|parameter| parameter.place == Place::Body);
        let members = operation.parameters.iter().any(|parameter| parameter.place == Place::Member);
        let body = match whole {
            Some(index) => BodyPlan::Whole(index),
            None if members => BodyPlan::Members,
            None => BodyPlan::None,
        };
        OperationPlan {
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
            Type::U8 => Node::U8(rules.into()),
            Type::U16 => Node::U16(rules.into()),
            Type::U32 => Node::U32(rules.into()),
            Type::U64 => Node::U64(rules.into()),
            Type::S8 => Node::S8(rules.into()),
            Type::S16 => Node::S16(rules.into()),
            Type::S32 => Node::S32(rules.into()),
            Type::S64 => Node::S64(rules.into()),
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
                Node::Record(fields.iter().map(|field| self.field(field)).collect())
            }
            Some(TypeKind::Variant(cases)) => Node::Variant(
                cases
                    .iter()
                    .map(|case| CasePlan {
                        name: case.name.clone(),
                        payload: case.payload.as_ref().map(|ty| self.bare(ty)),
                    })
                    .collect(),
            ),
            Some(TypeKind::Enum(labels)) => {
                Node::Enum(labels.iter().map(|label| label.name.clone()).collect())
            }
            Some(TypeKind::Flags(labels)) => {
                Node::Flags(labels.iter().map(|label| label.name.clone()).collect())
            }
            Some(TypeKind::Alias(target)) => self.bare(target),
            // Every identifier in a contract was given out by the list it points into.
            None => Node::Tuple(Arc::new([])),
        };
        if let Some(slot) = self.known.get_mut(id.0) {
            *slot = Some(node.clone());
        }
        node
    }

    fn field(&mut self, field: &model::Field) -> FieldPlan {
        FieldPlan {
            name: field.name.clone(),
            json: field.json.clone(),
            key: format!("\"{}\":", field.json).into_bytes().into(),
            node: self.node(&field.ty, &field.rules),
        }
    }
}
