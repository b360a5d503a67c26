//! Types made up by proptest: as WIT, with values as JSON, and those values written in other ways that mean the same.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// A type, with the rules that a field or parameter of it has.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) ty: Ty,
    rules: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Ty {
    Bool,
    Int(&'static str, i128, i128),
    F32,
    F64,
    Char,
    Text(Form),
    Bytes(usize, usize),
    List(Box<Ty>, usize, usize),
    Tuple(Vec<Ty>),
    Option(Box<Ty>),
    Result(Option<Box<Ty>>, Option<Box<Ty>>),
    Record(Vec<(String, Place)>),
    Variant(Vec<(String, Option<Ty>)>),
    Enum(Vec<String>),
    Flags(Vec<String>),
}

/// What a text may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Any,
    Short,
    Date,
    Digits,
}

const INTEGERS: [(&str, i128, i128); 8] = [
    ("u8", 0, u8::MAX as i128),
    ("u16", 0, u16::MAX as i128),
    ("u32", 0, u32::MAX as i128),
    ("u64", 0, u64::MAX as i128),
    ("s8", i8::MIN as i128, i8::MAX as i128),
    ("s16", i16::MIN as i128, i16::MAX as i128),
    ("s32", i32::MIN as i128, i32::MAX as i128),
    ("s64", i64::MIN as i128, i64::MAX as i128),
];

/// Names that differ, some of them words of WIT and of this JSON.
fn names(count: usize) -> Vec<String> {
    let words = ["record", "kind", "a", "long-name-of-a-thing", "value", "ok", "x9", "list"];
    (0..count)
        .map(|index| match words.get(index) {
            Some(word) => (*word).to_owned(),
            None => format!("more{index}-and-more"),
        })
        .collect()
}

fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

/// A type of some depth.
pub(crate) fn ty() -> BoxedStrategy<Ty> {
    let leaf = prop_oneof![
        Just(Ty::Bool),
        select(&INTEGERS[..]).prop_map(|(name, least, most)| Ty::Int(name, least, most)),
        Just(Ty::F32),
        Just(Ty::F64),
        Just(Ty::Char),
        Just(Ty::Text(Form::Any)),
        Just(Ty::Bytes(0, usize::MAX)),
        (1_usize..20).prop_map(|count| Ty::Enum(names(count))),
        (1_usize..=32).prop_map(|count| Ty::Flags(names(count))),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let side = prop::option::of(inner.clone().prop_map(Box::new));
        prop_oneof![
            inner.clone().prop_map(|item| match item {
                Ty::Int("u8", ..) => Ty::Bytes(0, usize::MAX),
                item => Ty::List(Box::new(item), 0, usize::MAX),
            }),
            prop::collection::vec(inner.clone(), 1..5).prop_map(Ty::Tuple),
            inner.clone().prop_map(|item| match item {
                Ty::Option(item) => Ty::Option(item),
                item => Ty::Option(Box::new(item)),
            }),
            (side.clone(), side).prop_map(|(ok, err)| Ty::Result(ok, err)),
            prop::collection::vec(place(inner.clone()), 1..12)
                .prop_map(|fields| Ty::Record(names(fields.len()).into_iter().zip(fields).collect())),
            prop::collection::vec(prop::option::of(inner), 1..12)
                .prop_map(|cases| Ty::Variant(names(cases.len()).into_iter().zip(cases).collect())),
        ]
    })
    .boxed()
}

/// A field: its type, sometimes with rules.
fn place(ty: BoxedStrategy<Ty>) -> impl Strategy<Value = Place> {
    (ty, any::<bool>(), 0_u8..3).prop_map(|(ty, constrained, which)| {
        if !constrained {
            return Place { ty, rules: Vec::new() };
        }
        let (ty, rules) = constrain(ty, which);
        Place { ty, rules }
    })
}

fn constrain(ty: Ty, which: u8) -> (Ty, Vec<String>) {
    let bounds = |min: i128, max: i128| vec![format!("@min {min}"), format!("@max {max}")];
    match ty {
        Ty::Int(name, least, _) => (Ty::Int(name, least.max(-7), 100), bounds(least.max(-7), 100)),
        Ty::Text(_) => match which {
            0 => (Ty::Text(Form::Short), bounds(1, 5)),
            1 => (Ty::Text(Form::Date), vec!["@format date".to_owned()]),
            _ => (Ty::Text(Form::Digits), vec!["@pattern ^[0-9]{5}$".to_owned()]),
        },
        Ty::Bytes(..) => (Ty::Bytes(2, 9), bounds(2, 9)),
        Ty::List(item, ..) => (Ty::List(item, 1, 3), bounds(1, 3)),
        Ty::Option(inner) => {
            let (inner, rules) = constrain(*inner, which);
            (Ty::Option(Box::new(inner)), rules)
        }
        other => (other, Vec::new()),
    }
}

/// A contract whose one operation gives back its argument.
pub(crate) fn wit(ty: &Ty) -> String {
    let mut definitions = String::new();
    let name = write(ty, &mut definitions, &mut 0);
    format!(
        "/// A contract.\npackage lgsp:case@1.0.0;\n\n/// Items.\ninterface items {{\n{definitions}\n\
         /// Gives it back.\necho: func(value: {name}) -> {name};\n}}\n\n\
         world connector {{ include truc:connector/capabilities@0.1.0; export items; }}\n"
    )
}

/// How a type is written where it is used; what it needs is defined before.
fn write(ty: &Ty, definitions: &mut String, count: &mut usize) -> String {
    let mut inner = |ty: &Ty| write(ty, definitions, count);
    let body = match ty {
        Ty::Bool => return "bool".to_owned(),
        Ty::Int(name, ..) => return (*name).to_owned(),
        Ty::F32 => return "f32".to_owned(),
        Ty::F64 => return "f64".to_owned(),
        Ty::Char => return "char".to_owned(),
        Ty::Text(_) => return "string".to_owned(),
        Ty::Bytes(..) => return "list<u8>".to_owned(),
        Ty::List(item, ..) => return format!("list<{}>", inner(item)),
        Ty::Option(item) => return format!("option<{}>", inner(item)),
        Ty::Tuple(items) => {
            return format!("tuple<{}>", items.iter().map(inner).collect::<Vec<_>>().join(", "));
        }
        Ty::Result(ok, err) => {
            let (ok, err) = (ok.as_ref().map(|ok| inner(ok)), err.as_ref().map(|err| inner(err)));
            return match (ok, err) {
                (None, None) => "result".to_owned(),
                (Some(ok), None) => format!("result<{ok}>"),
                (ok, Some(err)) => format!("result<{}, {err}>", ok.as_deref().unwrap_or("_")),
            };
        }
        Ty::Record(fields) => {
            let fields = fields.iter().map(|(name, place)| {
                let ty = inner(&place.ty);
                let rules = place.rules.iter().map(|rule| format!("/// {rule}\n")).collect::<String>();
                format!("{rules}%{name}: {ty},\n")
            });
            ("record", fields.collect::<String>())
        }
        Ty::Variant(cases) => {
            let cases = cases.iter().map(|(name, payload)| match payload {
                Some(payload) => format!("%{name}({}),\n", inner(payload)),
                None => format!("%{name},\n"),
            });
            ("variant", cases.collect::<String>())
        }
        Ty::Enum(names) => ("enum", names.iter().map(|name| format!("%{name},\n")).collect()),
        Ty::Flags(names) => ("flags", names.iter().map(|name| format!("%{name},\n")).collect()),
    };
    *count += 1;
    let name = format!("made-up-{}", "i".repeat(*count));
    writeln!(definitions, "{} {name} {{\n{}}}", body.0, body.1).unwrap();
    name
}

/// A value as JSON, exactly as the platform writes it.
pub(crate) fn value(ty: &Ty) -> BoxedStrategy<Value> {
    match ty.clone() {
        Ty::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Ty::Int(name, least, most) => {
            let numbers = prop_oneof![Just(least), Just(most), least..=most, (least.max(-9)..=most.min(9))];
            numbers.prop_map(move |number| integer(name, number)).boxed()
        }
        Ty::F32 => any::<i16>().prop_map(|number| json!(f64::from(number) / 8.0)).boxed(),
        Ty::F64 => prop_oneof![
            any::<f64>().prop_filter("finite", |float| float.is_finite()),
            Just(f64::MAX),
            Just(f64::MIN_POSITIVE),
            Just(-0.0),
        ]
        .prop_map(Value::from)
        .boxed(),
        Ty::Char => any::<char>().prop_map(|char| Value::from(char.to_string())).boxed(),
        Ty::Text(form) => text(form).prop_map(Value::from).boxed(),
        Ty::Bytes(least, most) => prop::collection::vec(any::<u8>(), least..=most.min(40))
            .prop_map(|bytes| json!(base64(&bytes)))
            .boxed(),
        Ty::List(item, least, most) => {
            prop::collection::vec(value(&item), least..=most.min(4)).prop_map(Value::from).boxed()
        }
        Ty::Tuple(items) => items.iter().map(value).collect::<Vec<_>>().prop_map(Value::from).boxed(),
        Ty::Option(inner) => {
            prop::option::of(value(&inner)).prop_map(|value| value.unwrap_or(Value::Null)).boxed()
        }
        Ty::Result(ok, err) => {
            let side = |name: &'static str, ty: &Option<Box<Ty>>| {
                let value = ty.as_ref().map_or(Just(Value::Null).boxed(), |ty| value(ty));
                value.prop_map(move |value| json!({ name: value }))
            };
            prop_oneof![side("ok", &ok), side("err", &err)].boxed()
        }
        Ty::Record(fields) => {
            let names: Vec<String> = fields.iter().map(|(name, _)| camel(name)).collect();
            let values: Vec<_> = fields.iter().map(|(_, place)| value(&place.ty)).collect();
            let options: Vec<bool> =
                fields.iter().map(|(_, place)| matches!(place.ty, Ty::Option(_))).collect();
            values
                .prop_map(move |values| {
                    let members = names.iter().cloned().zip(values).zip(&options);
                    let present = members.filter(|((_, value), option)| !(**option && value.is_null()));
                    Value::Object(present.map(|(member, _)| member).collect::<Map<_, _>>())
                })
                .boxed()
        }
        Ty::Variant(cases) => {
            let cases = cases.into_iter().map(|(name, payload)| match payload {
                None => Just(json!({ "kind": name })).boxed(),
                Some(ty) => {
                    let option = matches!(ty, Ty::Option(_));
                    value(&ty)
                        .prop_map(move |value| match option && value.is_null() {
                            true => json!({ "kind": name }),
                            false => json!({ "kind": name, "value": value }),
                        })
                        .boxed()
                }
            });
            proptest::strategy::Union::new(cases).boxed()
        }
        Ty::Enum(names) => select(names).prop_map(Value::from).boxed(),
        Ty::Flags(names) => {
            prop::sample::subsequence(names.clone(), 0..=names.len()).prop_map(Value::from).boxed()
        }
    }
}

fn integer(name: &str, number: i128) -> Value {
    match name {
        "u64" | "s64" => Value::from(number.to_string()),
        _ => json!(i64::try_from(number).unwrap()),
    }
}

fn text(form: Form) -> BoxedStrategy<String> {
    match form {
        Form::Any => prop_oneof![
            any::<String>(),
            "[ -~]{0,40}",
            r#"[\x00-\x1f"\\/a]{0,12}"#,
            Just("đ".repeat(3000)),
            Just(String::new()),
        ]
        .boxed(),
        Form::Short => "\\PC{1,5}".boxed(),
        Form::Date => ("19[0-9]{2}", 1_u8..13, 1_u8..29)
            .prop_map(|(year, month, day)| format!("{year}-{month:02}-{day:02}"))
            .boxed(),
        Form::Digits => "[0-9]{5}".boxed(),
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Numbers that follow from a seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // Knuth's constants of MMIX; the high bits are the better ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }
}

/// The same value written in another way: members in any order, spaces anywhere, escapes that are not needed, 64-bit
/// numbers as numbers, options that are none as `null`.
pub(crate) fn scrambled(ty: &Ty, value: &Value, dice: &mut Dice) -> String {
    let space = [" ", "", "\n", "\t\r\n", ""][dice.below(5)];
    let text = match (ty, value) {
        (Ty::Option(_), Value::Null) => "null".to_owned(),
        (Ty::Option(inner), value) => scrambled(inner, value, dice),
        (Ty::Int("u64" | "s64", ..), Value::String(digits)) if dice.below(2) == 0 => digits.clone(),
        (Ty::List(item, ..), Value::Array(items)) => {
            let items: Vec<_> = items.iter().map(|value| scrambled(item, value, dice)).collect();
            format!("[{}{space}]", items.join(","))
        }
        (Ty::Tuple(types), Value::Array(items)) => {
            let items: Vec<_> =
                types.iter().zip(items).map(|(ty, value)| scrambled(ty, value, dice)).collect();
            format!("[{space}{}]", items.join(","))
        }
        (Ty::Result(ok, err), Value::Object(sides)) => {
            let (name, value) = sides.iter().next().unwrap();
            let ty = if name == "ok" { ok } else { err };
            let value = ty.as_ref().map_or("null".to_owned(), |ty| scrambled(ty, value, dice));
            format!("{{{}{space}:{value}}}", quoted(name, dice))
        }
        (Ty::Record(fields), Value::Object(members)) => {
            let mut written = Vec::new();
            for (name, place) in fields {
                match members.get(&camel(name)) {
                    Some(value) => written.push((camel(name), scrambled(&place.ty, value, dice))),
                    None if dice.below(2) == 0 => written.push((camel(name), "null".to_owned())),
                    None => {}
                }
            }
            object(written, space, dice)
        }
        (Ty::Variant(cases), Value::Object(members)) => {
            let kind = members["kind"].as_str().unwrap();
            let mut written = vec![("kind".to_owned(), quoted(kind, dice))];
            let ty = cases.iter().find(|(name, _)| name == kind).and_then(|(_, ty)| ty.as_ref());
            if let (Some(ty), Some(value)) = (ty, members.get("value")) {
                written.push(("value".to_owned(), scrambled(ty, value, dice)));
            }
            object(written, space, dice)
        }
        (_, Value::String(text)) => quoted(text, dice),
        (_, other) => other.to_string(),
    };
    format!("{space}{text}{space}")
}

/// Members in any order.
fn object(mut members: Vec<(String, String)>, space: &str, dice: &mut Dice) -> String {
    let mut written = Vec::new();
    while !members.is_empty() {
        let (name, value) = members.swap_remove(dice.below(members.len()));
        written.push(format!("{space}{}{space}:{value}", quoted(&name, dice)));
    }
    format!("{{{}{space}}}", written.join(","))
}

/// A string, some of whose characters are escaped for no reason.
fn quoted(text: &str, dice: &mut Dice) -> String {
    let mut written = "\"".to_owned();
    for char in text.chars() {
        let needed = char < ' ' || char == '"' || char == '\\';
        if needed || dice.below(16) == 0 {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                write!(written, "\\u{unit:04X}").unwrap();
            }
        } else {
            written.push(char);
        }
    }
    written + "\""
}
