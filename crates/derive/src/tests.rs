//! What it refuses, and in which words. What it writes is tested where it can run, in `lastly`.

use quote::ToTokens;

use crate::expand::derive;

/// What is said about a type, or the code that is written for it.
fn result(ty: &str) -> Result<String, Vec<String>> {
    let input = syn::parse_str(ty).expect("a type");
    match derive(&input) {
        Ok(code) => Ok(code.to_string()),
        Err(error) => Err(error.into_iter().map(|error| error.to_string()).collect()),
    }
}

#[track_caller]
fn refused(ty: &str, because: &str) {
    let problems = result(ty).expect_err("it is wrong");
    assert!(problems.len() == 1 && problems[0].contains(because), "{ty}: {problems:?}");
}

#[track_caller]
fn accepted(ty: &str) -> String {
    let code = result(ty).expect("it is right");
    let item: syn::DeriveInput = syn::parse_str(ty).expect("a type");
    assert!(code.contains(&format!("for {}", item.ident.to_token_stream())), "{code}");
    code
}

#[test]
fn where_skip_belongs() {
    accepted("struct S { #[trace(skip)] a: u8 }");
    accepted("struct S { #[trace(skip,)] a: u8 }");
    accepted("struct S(#[doc = \"other attributes\"] #[trace(skip)] u8);");
    accepted("enum E { #[trace(skip)] A(u8), B(#[trace(skip)] u8), #[trace(skip)] C }");
    refused("#[trace(skip)] struct S(u8);", "a whole type cannot be skipped");
    refused("struct S<#[trace(skip)] T>(T);", "a parameter takes no `#[trace(…)]`");
    refused("struct S<#[trace(skip)] 'a>(&'a u8);", "a parameter takes no `#[trace(…)]`");
    refused("struct S<#[trace(skip)] const N: u8>;", "a parameter takes no `#[trace(…)]`");
    refused("enum E { #[trace(skip)] A(#[trace(skip)] u8) }", "remove one of the two");
}

#[test]
fn how_skip_is_written() {
    for wrong in ["skip = true", "skip(a)", "skip a"] {
        refused(&format!("struct S(#[trace({wrong})] u8);"), "`skip` stands alone");
    }
    refused("struct S(#[trace(skip, skip)] u8);", "said twice");
    refused("struct S(#[trace(skip)] #[trace(skip)] u8);", "said twice");
    for wrong in ["", "()", " = \"skip\"", "(ignore)", "(\"skip\")", "(own::skip)"] {
        refused(&format!("struct S(#[trace{wrong}] u8);"), "a field is `#[trace(skip)]`");
        refused(&format!("enum E {{ #[trace{wrong}] A }}"), "a variant is `#[trace(skip)]`");
        refused(&format!("#[trace{wrong}] struct S;"), "a type is `#[trace(bound = ");
    }
}

#[test]
fn where_bound_belongs() {
    refused("struct S<T>(#[trace(bound = \"\")] T);", "above the struct or enum");
    refused("enum E<T> { #[trace(bound = \"\")] A(T) }", "above the struct or enum");
}

#[test]
fn how_bound_is_written() {
    for wrong in ["bound", "bound = T", "bound = 1", "bound(T: Trace)"] {
        refused(&format!("#[trace({wrong})] struct S<T>(T);"), "write bounds in quotes");
    }
    for wrong in ["T", "T Trace", "T: Trace U: Trace", "T: Trace; U: Trace", "where T: Trace"] {
        let ty = format!("#[trace(bound = \"{wrong}\")] struct S<T>(T);");
        refused(&ty, "these are no bounds");
    }
    refused("#[trace(bound = \"\", bound = \"\")] struct S<T>(T);", "said twice");
    refused("#[trace(bound = \"\")] #[trace(bound = \"\")] struct S<T>(T);", "said twice");
}

#[test]
fn what_bound_does() {
    let bound = |attribute: &str, parameters: &str| {
        let code = accepted(&format!("{attribute} struct S<{parameters}>(#[trace(skip)] T);"));
        let head = code.split_once("unsafe impl").expect("an impl").1;
        head.split_once('{').expect("a body").0.replace(' ', "")
    };
    assert_eq!(bound("", "T"), "<T:::lastly::Trace>::lastly::TraceforS<T>");
    assert_eq!(bound("", "T: Copy = u8"), "<T:Copy+::lastly::Trace>::lastly::TraceforS<T>");
    assert_eq!(bound("#[trace(bound = \"\")]", "T: Copy"), "<T:Copy>::lastly::TraceforS<T>");
    assert_eq!(
        bound("#[trace(bound = \"T: Trace, Vec<T>: Trace,\")]", "'a, T, const N: u8 = 1"),
        "<'a,T,constN:u8>::lastly::TraceforS<'a,T,N>whereT:Trace,Vec<T>:Trace",
    );
}

#[test]
fn unions_and_packed_structs() {
    refused("union U { a: u8 }", "derived for a union");
    for packed in ["packed", "packed(2)", "C, packed", "packed, C"] {
        refused(&format!("#[repr({packed})] struct S {{ a: u8 }}"), "a packed struct");
    }
    accepted("#[repr(packed)] struct S { #[trace(skip)] a: u8 }");
    accepted("#[repr(packed)] struct S;");
    accepted("#[repr(C, align(8))] struct S { a: u8 }");
    accepted("#[repr(u8)] enum E { A = 1 + 2, B(u8) }");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let all = result("#[trace(skip)] struct S(#[trace(a)] u8, #[trace(b)] u8);").unwrap_err();
    assert_eq!(all.len(), 3, "{all:?}");
    let all = result("enum E { A(#[trace(a)] u8, #[trace(b)] u8), #[trace(c)] C }").unwrap_err();
    assert_eq!(all.len(), 3, "{all:?}");
}

#[test]
fn each_field_is_visited_once() {
    let visits = |ty: &str| accepted(ty).matches("Trace :: trace").count();
    assert_eq!(visits("struct S { a: u8, #[trace(skip)] b: u8, c: u8 }"), 2);
    assert_eq!(visits("enum E { A { a: u8 }, B(u8, u8), C, #[trace(skip)] D(u8) }"), 3);
    assert_eq!(visits("struct S(fn(&u8), (unsafe extern \"C\" fn()), u8);"), 1);
    assert_eq!(visits("struct S;"), 0);
    assert_eq!(visits("enum E {}"), 0);
}
