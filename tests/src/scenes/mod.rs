//! The scenes, by what they are about.

mod cleaners;
mod corners;
mod declared;
mod drain;
mod forks;
mod gc;
mod heirs;
mod many;
mod memory;
mod others;
mod pauses;
mod plain;
mod reports;
mod signals;
mod threads;
mod trouble;

pub(crate) use many::many;

/// Finds a scene by its name.
pub(crate) fn find(name: &str) -> Option<fn()> {
    let all = [
        plain::SCENES,
        corners::SCENES,
        signals::SCENES,
        cleaners::SCENES,
        pauses::SCENES,
        drain::SCENES,
        threads::SCENES,
        trouble::SCENES,
        forks::SCENES,
        heirs::SCENES,
        gc::SCENES,
        memory::SCENES,
        others::SCENES,
        reports::SCENES,
        declared::SCENES,
    ];
    let mut scenes = all.into_iter().flatten();
    scenes.find(|(known, _)| *known == name).map(|(_, scene)| *scene)
}
