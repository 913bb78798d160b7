//! iCalendar files as programs write them, recurrence rules against python-dateutil, and files that are
//! broken.
