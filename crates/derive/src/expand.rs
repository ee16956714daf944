//! What is written.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Generics, Result, parse_quote};

use crate::attributes::{Bounds, Place, Said};
use crate::shape::{Part, Shape, refuse_packed, shapes};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let said = Said::read(&input.attrs, Place::Type);
    let shapes = shapes(input);
    let (said, shapes) = match (said, shapes) {
        (Ok(said), Ok(shapes)) => (said, shapes),
        (Err(mut one), Err(other)) => {
            one.combine(other);
            return Err(one);
        }
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    refuse_packed(&input.attrs, &shapes)?;
    let generics = bounded(&input.generics, said.bound)?;
    let (parameters, arguments, conditions) = generics.split_for_impl();
    let parameters = quiet(quote! { #parameters });
    let conditions = quiet(quote! { #conditions });
    let name = &input.ident;
    let ty = quiet(quote! { #name #arguments });
    let tracer = ours("__lastly_tracer", Span::call_site());
    let body = visit(input, &shapes, &tracer);
    let leaf = ask(&shapes);
    Ok(quote! {
        #[automatically_derived]
        unsafe impl #parameters ::lastly::Trace for #ty #conditions {
            #[inline]
            fn trace(&self, #tracer: &mut ::lastly::Tracer) {
                #body
            }

            #leaf
        }
    })
}

/// The parameters of the `impl`.
fn bounded(generics: &Generics, bound: Option<Bounds>) -> Result<Generics> {
    for parameter in &generics.params {
        let attributes = match parameter {
            syn::GenericParam::Lifetime(lifetime) => &lifetime.attrs,
            syn::GenericParam::Type(ty) => &ty.attrs,
            syn::GenericParam::Const(constant) => &constant.attrs,
        };
        Said::read(attributes, Place::Parameter)?;
    }
    let mut generics = generics.clone();
    match bound {
        Some(bound) => generics.make_where_clause().predicates.extend(bound),
        None => {
            for parameter in generics.type_params_mut() {
                parameter.bounds.push(parse_quote!(::lastly::Trace));
            }
        }
    }
    Ok(generics)
}

/// The body of `trace`.
fn visit(input: &DeriveInput, shapes: &[Shape<'_>], tracer: &Ident) -> TokenStream {
    let full = shapes.iter().filter(|shape| shape.parts().next().is_some());
    let arms: Vec<_> = full.map(|shape| arm(shape, tracer)).collect();
    if arms.is_empty() {
        return TokenStream::new();
    }
    if let Data::Struct(_) = input.data {
        return quote! { match self { #(#arms)* } };
    }
    let rest = (arms.len() < shapes.len()).then(|| quote! { _ => {} });
    quote! { match self { #(#arms)* #rest } }
}

/// Takes the value apart, and visits each part.
fn arm(shape: &Shape<'_>, tracer: &Ident) -> TokenStream {
    let variant = shape.name.map(|name| quiet(quote! { ::#name }));
    let (mut fields, mut visits) = (TokenStream::new(), TokenStream::new());
    for (place, Part { member, ty, skip }) in shape.fields.iter().enumerate() {
        let member = quiet(quote! { #member });
        if *skip {
            fields.extend(quote! { #member: _, });
            continue;
        }
        // An error is shown at the field's type.
        let field = ours(&format!("__lastly_{place}"), ty.span());
        fields.extend(quote! { #member: #field, });
        visits.extend(quote! { ::lastly::Trace::trace(#field, #tracer); });
    }
    quote! { Self #variant { #fields } => { #visits } }
}

/// `is_leaf`: whether all parts are leaves.
///
/// The last field of a struct may be unsized, and then cannot be asked. No macro can see whether it
/// is, but the compiler can: `<__LastlyPart<F>>::__LASTLY_LEAF` is the inherent constant where
/// `F: Trace + Sized`, and else the trait's. So it also leaves it to `trace` alone to complain of a
/// field without `Trace`.
fn ask(shapes: &[Shape<'_>]) -> TokenStream {
    let mut types = shapes.iter().flat_map(Shape::parts).map(|part| part.ty).peekable();
    let (helper, answer) = if types.peek().is_some() {
        let types = types.map(|ty| quiet(quote! { #ty }));
        (helper(), quote! { #((<__LastlyPart<#types>>::__LASTLY_LEAF)())&&* })
    } else {
        (TokenStream::new(), quote! { true })
    };
    quote! {
        #[inline]
        fn is_leaf() -> ::core::primitive::bool {
            #helper
            #answer
        }
    }
}

fn helper() -> TokenStream {
    let ask = quote! {
        const __LASTLY_LEAF: fn() -> ::core::primitive::bool
    };
    quote! {
        struct __LastlyPart<F: ?::core::marker::Sized>(*const F);
        impl<F: ::lastly::Trace> __LastlyPart<F> {
            #ask = <F as ::lastly::Trace>::is_leaf;
        }
        trait __LastlyUnknown {
            #ask = || false;
        }
        impl<F: ?::core::marker::Sized> __LastlyUnknown for __LastlyPart<F> {}
    }
}

/// A name that is never taken for one of the user's local variables.
fn ours(name: &str, place: Span) -> Ident {
    format_ident!("{name}", span = Span::mixed_site().located_at(place))
}

/// The same tokens at the same places, as part of what the macro wrote. So no lint complains of them
/// twice, nor of what is allowed where the user wrote it. What `$crate` means depends on whose it
/// is: that stays.
fn quiet(tokens: TokenStream) -> TokenStream {
    let as_ours = |place: Span| place.resolved_at(Span::call_site());
    let quiet_one = |mut token: TokenTree| {
        match &mut token {
            TokenTree::Ident(name) if name == "$crate" => {}
            TokenTree::Group(group) => {
                let span = as_ours(group.span());
                *group = Group::new(group.delimiter(), quiet(group.stream()));
                group.set_span(span);
            }
            other => other.set_span(as_ours(other.span())),
        }
        token
    };
    tokens.into_iter().map(quiet_one).collect()
}
