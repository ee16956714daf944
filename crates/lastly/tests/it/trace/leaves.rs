//! What cannot own a `Gc`, and costs the collector nothing.

use std::collections::{BTreeMap, HashMap};
use std::mem::MaybeUninit;
use std::sync::atomic::AtomicU8;
use std::time::Duration;

use lastly::Finalizer;

use super::*;

macro_rules! leaves {
    ($($ty:ty),* $(,)?) => { $(assert!(<$ty>::is_leaf(), stringify!($ty));)* };
}

macro_rules! no_leaves {
    ($($ty:ty),* $(,)?) => { $(assert!(!<$ty>::is_leaf(), stringify!($ty));)* };
}

struct Unknown;

#[test]
fn what_owns_nothing_is_a_leaf() {
    leaves! {
        (), bool, char, u8, i128, usize, f64, String, std::path::PathBuf, Duration, AtomicU8,
        std::num::NonZeroU8, std::cmp::Ordering, std::net::IpAddr, std::fs::File, std::io::Error,
        &'static str, &'static Gc<u8>, *const Gc<u8>, std::ptr::NonNull<Gc<u8>>,
        std::marker::PhantomData<Gc<u8>>, Rc<Unknown>, Arc<Unknown>, std::rc::Weak<Unknown>,
        Weak<Unknown>, Finalizer, Finalizer<Weak<Unknown>, Unknown, Unknown>, lastly::Deferred,
        fn(Unknown) -> Unknown, unsafe fn(), extern "C" fn(u8, u8), std::thread::JoinHandle<Gc<u8>>,
        ManuallyDrop<Gc<u8>>, MaybeUninit<Gc<u8>>,
    }
}

#[test]
fn a_container_is_a_leaf_if_its_contents_are() {
    leaves! {
        Option<String>, Result<String, u8>, (u8, String), [String; 3], [(u8, &'static str); 0],
        Vec<u8>, VecDeque<(u8, char)>, HashMap<u8, &'static str>, BTreeMap<u8, Option<u8>>,
        Cow<'static, str>, Cow<'static, [u8]>, std::ops::Range<u8>, OnceCell<String>,
        Box<u8>, Box<str>, Cell<u8>, RefCell<(u8, char)>, Mutex<u8>, RwLock<[u8; 9]>, Watched<u8>,
        UnsafeCell<u8>, mpsc::Receiver<u8>,
    }
    no_leaves! {
        Gc<u8>, Option<Gc<u8>>, Result<u8, Gc<u8>>, (u8, Gc<u8>), [Gc<u8>; 0], Vec<Gc<u8>>,
        HashMap<Gc<u8>, u8>, HashMap<u8, Gc<u8>>, Cow<'static, [Gc<u8>]>, OnceCell<Gc<u8>>,
        Box<Gc<u8>>, Box<dyn Trace>, Cell<Gc<u8>>, RefCell<Gc<u8>>, Mutex<Gc<u8>>, Watched<Gc<u8>>,
        UnsafeCell<Gc<u8>>, mpsc::Receiver<Gc<u8>>, Vec<Vec<(u8, Gc<u8>)>>,
    }
}

#[derive(Trace)]
enum Json {
    Null,
    Text(String),
    List(Vec<Json>),
    Table(HashMap<String, Json>),
}

/// As part of a `Vec` of itself, a type is asked about itself.
#[test]
fn a_type_that_contains_itself_is_taken_for_no_leaf() {
    no_leaves! { Json, Vec<Json> }
    let object = Gc::new(Json::List(vec![Json::Table([("a".to_owned(), Json::Null)].into())]));
    drop(object.clone());
    assert_eq!(collect().objects, 0);
    assert!(matches!(&*object, Json::List(list) if list.len() == 1));
    assert!(matches!(Json::Text(String::new()), Json::Text(_)));
}

#[test]
fn a_leaf_is_never_a_suspect() {
    let leaf = Gc::new((1, vec![1]));
    drop(leaf.clone());
    assert_eq!(collect().suspects, 0);
    let other = Gc::new(vec![String::from("a")]);
    drop(other.clone());
    assert_eq!(collect().suspects, 1, "what is behind a pointer is not asked");
}
