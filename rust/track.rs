//! Change tracking: what an entity was when it was made, loaded or last saved.
//!
//! An entity has one slot for a `State`: null until there is something to remember. A state has a place for every
//! field. For a field of an immutable kind it takes the old value at the first assignment; for one whose value may
//! change in place (a list, a nested model) it holds an image from the start. Whether anything changed is
//! decided when somebody asks, by comparing, so that an equal value, or one set back, is no change.

use std::ptr;
use std::sync::atomic::{AtomicIsize, Ordering};

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyString, PyTuple, PyType};

use crate::image::{error_of, freeze, missing, restore, thaw, unchanged};
use crate::layout::{self, Values};
use crate::plan::Plan;
use crate::record::{Held, new_record, record_types};
use crate::runtime::{Lane, Object, View, raise, slot_offset};
use crate::table::{self, MemoryTable};
use crate::types;

/// The version of a record that was saved for the first time.
const FIRST: u64 = 1;

/// States that many entities have in common.
struct SharedStates {
    /// Of entities that were saved once and have not changed since.
    saved: Py<PyAny>,
    /// Of entities that pydantic has filled and whose own code has still to run.
    fresh: Py<PyAny>,
}

static SHARED: PyOnceLock<SharedStates> = PyOnceLock::new();
static STATE_SLOT: AtomicIsize = AtomicIsize::new(0);

fn shared_states(py: Python<'_>) -> &SharedStates {
    // The module's initialisation fills it before anything else can run.
    SHARED.get(py).expect("nitro._core is initialised")
}

pub fn initialise(py: Python<'_>) -> PyResult<()> {
    let empty = |tag| {
        let made = new_record(py, record_types(py).state.bind(py), 0, tag);
        made.map(Bound::unbind).map_err(|_| PyErr::fetch(py))
    };
    SHARED
        .get_or_try_init(py, || Ok(SharedStates { saved: empty(FIRST)?, fresh: empty(0)? }))
        .map(|_: &SharedStates| ())
}

/// Remembers where Entity keeps its state.
pub fn register(entity: &Bound<'_, PyType>) -> PyResult<()> {
    STATE_SLOT.store(slot_offset(entity.as_any(), "__nitro_state__")?, Ordering::Relaxed);
    Ok(())
}

/// The place of the state in a tracked entity.
///
/// # Safety
/// `object` is an instance of Entity.
unsafe fn state_place(object: View<'_, '_>) -> *mut *mut ffi::PyObject {
    // SAFETY: Entity's slot is at the same offset in all its subclasses.
    unsafe { object.as_ptr().cast::<u8>().offset(STATE_SLOT.load(Ordering::Relaxed)).cast() }
}

fn state<'py>(object: View<'_, 'py>) -> Option<Held<'py>> {
    let py = object.py();
    // SAFETY: only called for tracked plans; the slot is writable from Python, so its type is compared.
    unsafe {
        let place = *state_place(object);
        if place.is_null() || ffi::Py_TYPE(place) != record_types(py).state.as_ptr().cast() {
            return None;
        }
        Some(Held(Bound::from_borrowed_ptr(py, place)))
    }
}

fn set_state(object: View<'_, '_>, state: Option<Object<'_>>) {
    // SAFETY: only called for tracked plans.
    unsafe {
        let new = state.map_or(ptr::null_mut(), Bound::into_ptr);
        ffi::Py_XDECREF(ptr::replace(state_place(object), new));
    }
}

/// The entity's own state, made when it has none.
fn own_state<'py>(object: View<'_, 'py>, plan: &Plan) -> Lane<Held<'py>> {
    let py = object.py();
    let known = state(object);
    if let Some(state) = &known
        && state.len() == plan.fields.len()
    {
        return Ok(state.clone());
    }
    let tag = known.as_ref().map_or(0, Held::tag);
    let made = Held(new_record(py, record_types(py).state.bind(py), plan.fields.len(), tag)?);
    made.set_home(known.and_then(|state| state.home()));
    set_state(object, Some(made.0.clone()));
    Ok(made)
}

/// Starts tracking an entity that has all its fields: takes an image of what may change in place.
pub fn settle(object: View<'_, '_>, plan: &Plan) -> Lane<()> {
    if !plan.any_mutable {
        return Ok(());
    }
    let py = object.py();
    let state = own_state(object, plan)?;
    // SAFETY: the plan is that of the object's type.
    let values = unsafe { Values::of(object, plan)? };
    for (index, field) in plan.fields.iter().enumerate() {
        if field.mutable {
            let image = match values.get(py, plan, index)? {
                Some(value) => freeze(value)?,
                None => missing(py),
            };
            state.set(index, image);
        }
    }
    Ok(())
}

/// Starts tracking an instance that pydantic has filled: at once, or when the class's own code has run (`settle_late`).
pub fn filled(object: View<'_, '_>, plan: &Plan) -> Lane<()> {
    if !plan.settles_late {
        return settle(object, plan);
    }
    set_state(object, Some(shared_states(object.py()).fresh.bind(object.py()).clone()));
    Ok(())
}

fn is_fresh(object: View<'_, '_>) -> bool {
    state(object).is_some_and(|state| state.0.is(&shared_states(object.py()).fresh))
}

/// Starts tracking an instance whose class's own code has run; one that is tracked already stays as it is.
pub fn settle_late(object: View<'_, '_>, plan: &Plan) -> Lane<()> {
    if is_fresh(object) { reset(object, plan) } else { Ok(()) }
}

/// Starts the tracking of a new entity whose class has code of its own around pydantic's, when that code has run.
#[pyfunction]
#[pyo3(text_signature = "(entity)")]
pub fn settle_entity<'py>(entity: Bound<'py, PyAny>) -> PyResult<Object<'py>> {
    if let Ok(tracked) = Tracked::new(&entity) {
        settle_late(tracked.object, tracked.plan.get()).map_err(|fail| error_of(entity.py(), fail))?;
    }
    Ok(entity)
}

/// Forgets what was.
pub fn forget(object: View<'_, '_>) {
    set_state(object, None);
}

/// Forgets what was, and starts again from what is.
pub fn reset(object: View<'_, '_>, plan: &Plan) -> Lane<()> {
    set_state(object, None);
    settle(object, plan)
}

/// The same, if the object is an entity.
pub fn reset_entity(object: &Object<'_>) -> PyResult<()> {
    let Ok(tracked) = Tracked::new(object) else { return Ok(()) };
    reset(tracked.object, tracked.plan.get()).map_err(|fail| error_of(object.py(), fail))
}

/// Whether an entity still has to remember which fields were given before its first assignment.
#[inline]
pub fn wants_given(object: View<'_, '_>) -> bool {
    state(object).is_none_or(|state| state.len() == 0 || state.given().is_none())
}

/// Whether an assignment has no more to note: neither what this field was, nor which fields had been given.
#[inline(always)]
pub fn has_noted(object: View<'_, '_>, plan: &Plan, index: usize) -> bool {
    // SAFETY: only called for tracked plans; the slot is writable from Python, so its type is compared.
    unsafe {
        let place = *state_place(object);
        !place.is_null()
            && ffi::Py_TYPE(place) == record_types(object.py()).state.as_ptr().cast()
            && Held::has(place, plan.fields.len(), index)
    }
}

/// Remembers the value that a field had before an assignment; `given` is what the slot of given fields held.
pub fn note<'py>(
    object: View<'_, 'py>,
    plan: &Plan,
    index: usize,
    old: Option<Object<'py>>,
    given: Option<Object<'py>>,
) -> Lane<()> {
    let py = object.py();
    if is_fresh(object) {
        return Ok(());
    }
    let state = own_state(object, plan)?;
    if let Some(given) = given
        && state.given().is_none()
    {
        state.set_given(given);
    }
    if state.get(index).is_none() {
        let image = match old {
            Some(value) if plan.fields[index].mutable => freeze(value)?,
            Some(value) => value,
            None => missing(py),
        };
        state.set(index, image);
    }
    Ok(())
}

/// A tracked entity with its plan.
struct Tracked<'a, 'py> {
    object: View<'a, 'py>,
    plan: Bound<'py, Plan>,
}

impl<'a, 'py> Tracked<'a, 'py> {
    fn new(object: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        // SAFETY: a live object has a live type.
        let plan = unsafe { Plan::held(object.py(), ffi::Py_TYPE(object.as_ptr())) };
        match plan.filter(|plan| plan.get().tracked) {
            Some(plan) => Ok(Self { object: object.as_borrowed(), plan }),
            None => Err(PyTypeError::new_err(format!(
                "changes are tracked on entities; {} is none",
                object.get_type().name()?
            ))),
        }
    }

    fn py(&self) -> Python<'py> {
        self.object.py()
    }

    fn current(&self, index: usize) -> PyResult<Option<Object<'py>>> {
        // SAFETY: the plan is that of the object's type.
        unsafe { Values::of(self.object, self.plan.get()) }
            .and_then(|values| values.get(self.py(), self.plan.get(), index))
            .map_err(|fail| error_of(self.py(), fail))
    }

    /// Calls `found` with each field that changed: its number, its old image, its value.
    fn each_change(
        &self,
        mut found: impl FnMut(usize, &Object<'py>, Option<Object<'py>>) -> PyResult<bool>,
    ) -> PyResult<()> {
        let Some(state) = state(self.object) else { return Ok(()) };
        for index in 0..state.len() {
            let Some(image) = state.get(index) else { continue };
            let now = self.current(index)?;
            if !self.is_same(&image, now.as_ref())? && !found(index, &image, now)? {
                break;
            }
        }
        Ok(())
    }

    /// Whether a value is what it was, by its image.
    fn is_same(&self, image: &Object<'py>, now: Option<&Object<'py>>) -> PyResult<bool> {
        let was_missing = image.is(missing(self.py()));
        match now {
            Some(value) => Ok(!was_missing && unchanged(image, value)?),
            None => Ok(was_missing),
        }
    }

    fn old(&self, image: &Object<'py>) -> PyResult<Object<'py>> {
        if image.is(missing(self.py())) { Ok(self.py().None().into_bound(self.py())) } else { thaw(image) }
    }
}

/// {field: (old value, new value)} of a tracked entity; None stands for an attribute that is not there.
#[pyfunction]
pub fn changes<'py>(entity: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let tracked = Tracked::new(entity)?;
    let changes = PyDict::new(entity.py());
    tracked.each_change(|index, image, now| {
        changes.set_item(&tracked.plan.get().fields[index].name, (tracked.old(image)?, now))?;
        Ok(true)
    })?;
    Ok(changes)
}

/// Whether any field differs from what was made, loaded or last saved.
#[pyfunction]
pub fn is_changed(entity: &Bound<'_, PyAny>) -> PyResult<bool> {
    let mut any = false;
    Tracked::new(entity)?.each_change(|_, _, _| {
        any = true;
        Ok(false)
    })?;
    Ok(any)
}

/// {field: value} of the changed fields whose value may have become invalid since nothing was assigned: it was edited
/// in place. None where there are none, which is so of texts and numbers. An attribute that is gone is there as None.
#[pyfunction]
pub fn edited<'py>(entity: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let tracked = Tracked::new(entity)?;
    let mut edited = None;
    tracked.each_change(|index, _, now| {
        if !now.as_ref().is_some_and(cannot_be_edited) {
            edited
                .get_or_insert_with(|| PyDict::new(entity.py()))
                .set_item(&tracked.plan.get().fields[index].name, now)?;
        }
        Ok(true)
    })?;
    Ok(edited)
}

fn cannot_be_edited(value: &Object<'_>) -> bool {
    value.is_none()
        || value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyInt>()
        || value.is_instance_of::<PyFloat>()
        || value.is_instance_of::<PyBytes>()
}

/// The value that a field had when the entity was made, loaded or last saved.
#[pyfunction]
pub fn original<'py>(entity: &Bound<'py, PyAny>, field: &str) -> PyResult<Object<'py>> {
    let tracked = Tracked::new(entity)?;
    let index = tracked
        .plan
        .get()
        .find_text(field, 0)
        .ok_or_else(|| PyAttributeError::new_err(format!("{} has no field {field:?}", type_name(entity))))?;
    let image = state(tracked.object).filter(|state| index < state.len()).and_then(|state| state.get(index));
    match image {
        Some(image) => tracked.old(&image),
        None => Ok(tracked.current(index)?.unwrap_or_else(|| entity.py().None().into_bound(entity.py()))),
    }
}

/// The value of the primary key of an entity; a tuple where several fields are the key.
#[pyfunction]
pub fn identity<'py>(entity: &Bound<'py, PyAny>) -> PyResult<Object<'py>> {
    key_by(entity, |name| entity.getattr(name))
}

/// The key that an entity is stored under, whatever was assigned since.
#[pyfunction]
pub fn original_identity<'py>(entity: &Bound<'py, PyAny>) -> PyResult<Object<'py>> {
    key_by(entity, |name| original(entity, name.to_str()?))
}

fn key_by<'py>(
    entity: &Bound<'py, PyAny>,
    value: impl Fn(&Bound<'py, PyString>) -> PyResult<Object<'py>>,
) -> PyResult<Object<'py>> {
    let py = entity.py();
    let names = entity.get_type().getattr(intern!(py, "__nitro_keys__"))?.cast_into::<PyTuple>()?;
    let names = names.iter().map(|name| Ok(name.cast_into::<PyString>()?)).collect::<PyResult<Vec<_>>>()?;
    match names.as_slice() {
        [name] => value(name),
        _ => Ok(PyTuple::new(py, names.iter().map(value).collect::<PyResult<Vec<_>>>()?)?.into_any()),
    }
}

fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "the entity".to_owned(), |name| name.to_string())
}

/// {field: (old value, new value)} as the last save wrote them; every field, with None as the old value, where that
/// save was the first; empty before any save.
#[pyfunction]
pub fn previous_changes<'py>(entity: &Bound<'py, PyAny>) -> PyResult<Object<'py>> {
    let tracked = Tracked::new(entity)?;
    let py = entity.py();
    let previous = PyDict::new(py);
    if let Some(state) = state(tracked.object) {
        if let Some(known) = state.head() {
            for (field, pair) in known.cast::<PyDict>()?.copy()?.iter() {
                let (old, new): (Object<'_>, Object<'_>) = pair.extract()?;
                previous.set_item(field, (tracked.old(&old)?, thaw(&new)?))?;
            }
            return Ok(previous.into_any());
        }
        if state.tag() == FIRST {
            for field in &tracked.plan.get().fields {
                previous.set_item(&field.name, (py.None(), original(entity, &field.text)?))?;
            }
        }
    }
    Ok(previous.into_any())
}

/// Puts every field back to what it was when the entity was made, loaded or last saved; containers and nested models
/// get their old contents back in place.
#[pyfunction]
pub fn revert_changes(entity: &Bound<'_, PyAny>) -> PyResult<()> {
    let tracked = Tracked::new(entity)?;
    let py = entity.py();
    let mut old = Vec::new();
    tracked.each_change(|index, image, _| {
        old.push((index, image.clone()));
        Ok(true)
    })?;
    let plan = tracked.plan.get();
    // The indexes of the store first: they may refuse.
    let (indexed, rest): (Vec<_>, Vec<_>) = old.into_iter().partition(|(index, _)| plan.fields[*index].indexed);
    let held = indexed.iter().map(|(index, _)| Ok((*index, tracked.current(*index)?))).collect::<PyResult<Vec<_>>>()?;
    let place = |index: usize, value: Option<Object<'_>>| -> PyResult<()> {
        // SAFETY: the plan is that of the object's type.
        let dict = unsafe { layout::dictionary(tracked.object, Some(plan)) }.map_err(|fail| error_of(py, fail))?;
        match value {
            Some(value) => dict.set_item(&plan.fields[index].name, value),
            None => dict.del_item(&plan.fields[index].name),
        }
    };
    let put_back = |(index, image): (usize, Object<'_>)| {
        place(index, if image.is(missing(py)) { None } else { Some(restore(&image)?) })
    };
    indexed.into_iter().try_for_each(put_back)?;
    let undo = || held.iter().try_for_each(|(index, value)| place(*index, value.clone()));
    table::moved(tracked.object, plan, &held, || undo().map_err(|error| raise(py, error)))
        .map_err(|fail| error_of(py, fail))?;
    rest.into_iter().try_for_each(put_back)?;
    if let Some(state) = state(tracked.object)
        && state.len() > 0
    {
        if let Some(given) = state.given() {
            types::set_fields_set(tracked.object, given);
        }
        let previous = state.head();
        let version = state.tag();
        restart(&tracked, version, previous)?;
    }
    Ok(())
}

/// Starts tracking anew from what is, as version `version`, and with what the last save wrote. A record stays the
/// record that it is, unless it is stored no more.
fn restart<'py>(tracked: &Tracked<'_, 'py>, version: u64, previous: Option<Object<'py>>) -> PyResult<()> {
    let home = if version == 0 { None } else { home(tracked.object) };
    settle_in(tracked.object, tracked.plan.get(), version, previous, home).map_err(|fail| error_of(tracked.py(), fail))
}

fn settle_in<'py>(
    object: View<'_, 'py>,
    plan: &Plan,
    version: u64,
    previous: Option<Object<'py>>,
    home: Option<Object<'py>>,
) -> Lane<()> {
    let py = object.py();
    if version == FIRST && previous.is_none() && !plan.any_mutable {
        let shared = match &home {
            Some(home) => saved_in(home)?,
            None => shared_states(py).saved.bind(py).clone(),
        };
        set_state(object, Some(shared));
        return Ok(());
    }
    set_state(object, None);
    if version != 0 || previous.is_some() {
        let state = own_state(object, plan)?;
        state.set_tag(version);
        state.set_home(home);
        if let Some(previous) = previous {
            state.set_head(previous);
        }
    }
    settle(object, plan)
}

/// The state that the entities of a table share which were saved once and have not changed since.
fn saved_in<'py>(home: &Object<'py>) -> Lane<Object<'py>> {
    let py = home.py();
    let table = home.cast::<MemoryTable>().map_err(|error| raise(py, error.into()))?.get();
    table.saved_state(py, || {
        let state = Held(new_record(py, record_types(py).state.bind(py), 0, FIRST)?);
        state.set_home(Some(home.clone()));
        Ok(state.0)
    })
}

/// The table of which an entity is a record.
#[inline]
pub fn home<'py>(object: View<'_, 'py>) -> Option<Object<'py>> {
    state(object).and_then(|state| state.home())
}

/// The version of the stored record that the entity is; 0 when it is not stored.
pub fn version_of(object: View<'_, '_>) -> u64 {
    state(object).map_or(0, |state| state.tag())
}

/// Makes an entity version `version` of a record of `home`, or of a record elsewhere, with nothing changed.
pub fn become_record<'py>(object: View<'_, 'py>, plan: &Plan, version: u64, home: Option<Object<'py>>) -> Lane<()> {
    settle_in(object, plan, version, None, home)
}

/// Makes an entity a record of a table, or of none any more.
pub fn set_home<'py>(object: View<'_, 'py>, plan: &Plan, home: Option<Object<'py>>) -> Lane<()> {
    own_state(object, plan).map(|state| state.set_home(home))
}

/// The version of the stored record that the entity was loaded or saved as; 0 when it is not stored.
#[pyfunction]
pub fn version(entity: &Bound<'_, PyAny>) -> PyResult<u64> {
    Ok(state(Tracked::new(entity)?.object).map_or(0, |state| state.tag()))
}

/// Takes the entity as it is for what was saved as `version` of its record; 1 is the first, 0 means that it is no
/// longer stored.
#[pyfunction]
pub fn accept_changes(entity: &Bound<'_, PyAny>, version: u64) -> PyResult<()> {
    let tracked = Tracked::new(entity)?;
    if version <= FIRST {
        return restart(&tracked, version, None);
    }
    // Images, as what was written must not change with what goes on to change.
    let written = PyDict::new(entity.py());
    tracked.each_change(|index, image, now| {
        let new = now.map(freeze).transpose().map_err(|fail| error_of(entity.py(), fail))?;
        written.set_item(&tracked.plan.get().fields[index].name, (image, new))?;
        Ok(true)
    })?;
    restart(&tracked, version, Some(written.into_any()))
}

/// {field: value when made, loaded or last saved} of the fields that changed, PydanticUndefined where there was none:
/// what a copy of the entity must be told.
#[pyfunction]
pub fn originals<'py>(entity: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let tracked = Tracked::new(entity)?;
    let originals = PyDict::new(entity.py());
    tracked.each_change(|index, image, _| {
        originals.set_item(&tracked.plan.get().fields[index].name, thaw(image)?)?;
        Ok(true)
    })?;
    Ok(originals)
}

/// Makes `copy`, made from `entity` with all its values, know what `entity` knows: its version and what it was.
#[pyfunction]
pub fn copy_tracking(entity: &Bound<'_, PyAny>, copy: &Bound<'_, PyAny>) -> PyResult<()> {
    // An instance of a class that is not complete is not tracked yet.
    let Ok(source) = Tracked::new(entity) else { return Ok(()) };
    self::copy(source.object, copy.as_borrowed(), source.plan.get()).map_err(|fail| error_of(entity.py(), fail))
}

/// The same, between two instances of the class of `plan`.
pub fn copy(entity: View<'_, '_>, copy: View<'_, '_>, plan: &Plan) -> Lane<()> {
    let py = entity.py();
    settle_late(copy, plan)?;
    let Some(state) = state(entity) else { return Ok(()) };
    if state.len() == 0 {
        // A copy is not the record.
        let shared = if state.home().is_some() { shared_states(py).saved.bind(py).clone() } else { state.0 };
        set_state(copy, Some(shared));
        return settle(copy, plan);
    }
    let own = own_state(copy, plan)?;
    own.set_tag(state.tag());
    let entity = entity.to_owned();
    let source = Tracked::new(&entity).map_err(|error| raise(py, error))?;
    for (index, field) in plan.fields.iter().enumerate() {
        let Some(image) = state.get(index) else { continue };
        if !field.mutable {
            // An old value is its own image: nobody has to be asked whether it is equal to the new one.
            own.set(index, image);
            continue;
        }
        // What can change in place has an image of its own, which belongs to the copy's own values.
        let old = || -> PyResult<Option<Object<'_>>> {
            let same = source.is_same(&image, source.current(index)?.as_ref())?;
            if same { Ok(None) } else { thaw(&image).map(Some) }
        };
        if let Some(old) = old().map_err(|error| raise(py, error))? {
            own.set(index, freeze(old)?);
        }
    }
    Ok(())
}

/// Tells an entity, a copy of another one, which version of the record it is and from what its fields have changed.
#[pyfunction]
pub fn set_originals(entity: &Bound<'_, PyAny>, version: u64, originals: &Bound<'_, PyDict>) -> PyResult<()> {
    let tracked = Tracked::new(entity)?;
    let plan = tracked.plan.get();
    let fail = |fail| error_of(entity.py(), fail);
    if originals.is_empty() && version == 0 {
        return Ok(());
    }
    let state = own_state(tracked.object, plan).map_err(fail)?;
    state.set_tag(version);
    for (name, value) in originals.iter() {
        if let Some(index) = plan.find(name.as_borrowed(), 0) {
            state.set(index, if plan.fields[index].mutable { freeze(value).map_err(fail)? } else { value });
        }
    }
    Ok(())
}
