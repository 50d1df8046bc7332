"""phonenumbers' metadata in the form that plain_numbers reads: structures and pattern tables.

Made when a region or calling code is first asked for, and kept as long as the process lives: all
of phonenumbers 9.0 is under 2 MB and half a second.
"""

from cpython.mem cimport PyMem_Malloc
from cpython.ref cimport Py_INCREF

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, REGION_CODE_FOR_NON_GEO_ENTITY, PhoneMetadata

from loader import digit_patterns, renumbering
from loader.digit_patterns import UnsupportedPatternError, any_of, compile_pattern, free_tails

assert (COLUMNS, END, MATCH_LAST_GROUP) == (
    digit_patterns.COLUMNS, digit_patterns.END, digit_patterns.MATCH_LAST_GROUP
)

# The kinds of number that make a number valid, as phonenumbers.number_type asks for them.
_KINDS = (
    "premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan",
    "voicemail", "fixed_line", "mobile",
)

cdef CallingCodes _codes

for _code in COUNTRY_CODE_TO_REGION_CODE:
    _codes.exists[<int>_code] = True


cdef CallingCodes *calling_codes() noexcept nogil:
    return &_codes


cdef Table _table(pattern, bint whole):
    cdef Table table
    cdef const uint16_t[::1] following
    cdef const uint8_t[::1] verdict
    table.following = NULL
    table.verdict = NULL
    if pattern:
        compiled = compile_pattern(pattern, whole=whole)
        following = compiled.following
        verdict = compiled.verdict
        Py_INCREF(compiled)  # for good, as the structures that point into it
        table.following = &following[0]
        table.verdict = &verdict[0]
    return table


cdef uint32_t _bits(lengths):
    cdef uint32_t bits = 0
    for length in lengths:
        if 0 < length < 32:  # -1 stands for no length at all
            bits |= 1u << <int>length
    return bits


cdef Range _range(description):
    cdef Range made
    made.lengths = 0
    made.pattern = _table(None, True)
    if description is not None:
        made.pattern = _table(description.national_number_pattern, True)
        lengths = description.possible_length
        made.lengths = _bits(lengths) if len(lengths) else <uint32_t>0xffffffff
    return made


cdef class _Area:
    cdef Area area
    cdef bytes tails  # which area.free_tails points into

    def __cinit__(self, metadata, bint alone):
        kinds = []
        self.area.leading_digits = _table(None if alone else metadata.leading_digits, False)
        self.area.numbers = _range(metadata.general_desc)
        for kind in _KINDS:
            description = getattr(metadata, kind)
            if description is None:
                continue
            if kind == "mobile" and metadata.same_mobile_and_fixed_line_pattern:
                continue  # phonenumbers looks at the fixed line's alone then
            self.area.kind[self.area.kinds] = _range(description)
            self.area.kinds += 1
            kinds.append(description)
        pattern = any_of(metadata.general_desc, kinds)
        self.area.any_kind = _table(pattern, True)
        if pattern:
            self.tails = free_tails(compile_pattern(pattern, whole=True))
            self.area.free_tails = self.tails


cdef class _Plan:
    cdef Plan plan

    def __cinit__(self, metadata, short_metadata):
        general = metadata.general_desc
        table = renumbering.table()
        self.plan.has_old_forms = (
            metadata.id in table.dialled or metadata.country_code in table.international
        )
        self.plan.calling_code = metadata.country_code
        self.plan.transforms = bool(metadata.national_prefix_transform_rule)
        self.plan.has_prefix = bool(metadata.national_prefix)
        self.plan.possible = _bits(general.possible_length)
        self.plan.longest = max(general.possible_length)
        try:
            self.plan.numbers = _table(general.national_number_pattern, True)
            self.plan.national_prefix = _table(metadata.national_prefix_for_parsing, False)
            self.plan.international_prefix = _table(metadata.international_prefix, False)
            if short_metadata is not None:
                self.plan.short_numbers = _range(short_metadata.general_desc)
                self.plan.short_codes = _range(short_metadata.short_code)
        except UnsupportedPatternError:
            self.plan.usable = False
        else:
            self.plan.usable = True


cdef dict _plans = {}  # region or calling code: _Plan
cdef list _areas = []


cdef Plan *_keep(key, _Plan plan):
    _plans[key] = plan
    return &plan.plan


cdef Plan *plan_of_region(str region) except NULL:
    """The plan of a region. KeyError for a region that phonenumbers does not know."""
    cdef _Plan plan = _plans.get(region)
    if plan is not None:
        return &plan.plan
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        raise KeyError(region)
    return _keep(region, _Plan(metadata, PhoneMetadata.short_metadata_for_region(region)))


cdef int load_calling_code(int code) except -1:
    """Make the plan of a calling code or, when that is there, its areas."""
    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    if _codes.plan[code] != NULL:
        return _load_areas(_codes.plan[code], code, regions)
    _load_old_forms(code)
    if regions[0] == REGION_CODE_FOR_NON_GEO_ENTITY:  # +800, +883 and so on
        _codes.plan[code] = _keep(code, _Plan(PhoneMetadata.metadata_for_nongeo_region(code), None))
    else:
        _codes.plan[code] = plan_of_region(regions[0])
    return 0


cdef int _load_old_forms(int code) except -1:
    cdef OldForm *forms
    cdef int row, at
    rows = renumbering.table().international.get(code, ())
    if not rows:
        return 0
    forms = <OldForm *> PyMem_Malloc(len(rows) * sizeof(OldForm))  # for good
    if forms == NULL:
        raise MemoryError
    for row in range(len(rows)):
        forms[row].pair = rows[row].pair
        forms[row].count = len(rows[row].places)
        forms[row].new_count = len(rows[row].result)
        forms[row].row = rows[row].index
        _codes.old_lengths[code] |= 1u << forms[row].count
        for at in range(forms[row].count):
            forms[row].may[at] = sum(1 << int(digit) for digit in rows[row].places[at])
        for at in range(forms[row].new_count):
            item = rows[row].result[at]
            forms[row].new_digit[at] = int(item) if isinstance(item, str) else -1 - item
        _codes.has_pairs[code] = _codes.has_pairs[code] or rows[row].pair
    _codes.old_form_count[code] = len(rows)
    _codes.old_forms[code] = forms
    return 0


cdef int _load_areas(Plan *plan, int code, regions) except -1:
    cdef _Area area
    cdef const Area *following = NULL
    try:
        for region in reversed(regions):
            metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
            area = _Area(metadata, len(regions) == 1)
            area.area.following = following
            following = &area.area
            _areas.append(area)
    except UnsupportedPatternError:
        plan.usable = False
    else:
        plan.areas = following
    return 0
