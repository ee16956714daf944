//! What a type consists of: the parts that are looked into.

use proc_macro2::{Ident, Span, TokenTree};
use syn::{Attribute, Data, DeriveInput, Error, Fields, Index, Member, Result, Type};

use crate::attributes::{Place, Said};

/// A struct, or a variant of an enum.
pub(crate) struct Shape<'a> {
    /// Of the variant.
    pub(crate) name: Option<&'a Ident>,
    pub(crate) fields: Vec<Part<'a>>,
}

pub(crate) struct Part<'a> {
    pub(crate) member: Member,
    pub(crate) ty: &'a Type,
    pub(crate) skip: bool,
}

impl Shape<'_> {
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part<'_>> {
        self.fields.iter().filter(|field| !field.skip)
    }
}

/// One shape for a struct, one for each variant of an enum.
pub(crate) fn shapes(input: &DeriveInput) -> Result<Vec<Shape<'_>>> {
    match &input.data {
        Data::Struct(data) => Ok(vec![Shape { name: None, fields: parts(&data.fields, None)? }]),
        Data::Enum(data) => together(data.variants.iter().map(|variant| {
            let said = Said::read(&variant.attrs, Place::Variant)?;
            Ok(Shape { name: Some(&variant.ident), fields: parts(&variant.fields, said.skip)? })
        })),
        Data::Union(data) => Err(Error::new(
            data.union_token.span,
            "`Trace` cannot be derived for a union, which does not say what it holds: make it an \
             enum, or write `unsafe impl Trace` by hand",
        )),
    }
}

fn parts(fields: &Fields, all: Option<Span>) -> Result<Vec<Part<'_>>> {
    together(fields.iter().enumerate().map(|(place, field)| {
        let said = Said::read(&field.attrs, Place::Field)?;
        if let (Some(span), Some(_)) = (said.skip, all) {
            return Err(Error::new(span, "the whole variant is skipped: remove one of the two"));
        }
        let member = match &field.ident {
            Some(name) => Member::Named(name.clone()),
            None => Member::Unnamed(Index::from(place)),
        };
        let skip = said.skip.is_some() || all.is_some() || is_function(&field.ty);
        Ok(Part { member, ty: &field.ty, skip })
    }))
}

/// A function pointer, in so many words. It owns nothing, and no `impl` covers all of them: not
/// those that take references.
fn is_function(ty: &Type) -> bool {
    match ty {
        Type::FnPtr(_) => true,
        Type::Group(group) => is_function(&group.elem),
        Type::Paren(paren) => is_function(&paren.elem),
        _ => false,
    }
}

/// All of them, or all that is wrong.
fn together<T>(results: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut problem: Option<Error> = None;
    let mut good = Vec::new();
    for result in results {
        match (result, &mut problem) {
            (Ok(item), _) => good.push(item),
            (Err(error), Some(problem)) => problem.combine(error),
            (Err(error), None) => problem = Some(error),
        }
    }
    problem.map_or(Ok(good), Err)
}

/// There must be no reference to a field of a packed struct. The compiler would say so too, but
/// about code that nobody wrote.
pub(crate) fn refuse_packed(attributes: &[Attribute], shapes: &[Shape<'_>]) -> Result<()> {
    if shapes.iter().all(|shape| shape.parts().next().is_none()) {
        return Ok(());
    }
    let words = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("repr"))
        .filter_map(|attribute| attribute.meta.require_list().ok())
        .flat_map(|list| list.tokens.clone());
    for word in words {
        if matches!(&word, TokenTree::Ident(word) if word == "packed") {
            return Err(Error::new(
                word.span(),
                "`Trace` cannot look into a packed struct, as no reference to its fields may \
                 exist: remove `packed`, write `#[trace(skip)]` on every field, or write `unsafe \
                 impl Trace` by hand",
            ));
        }
    }
    Ok(())
}
