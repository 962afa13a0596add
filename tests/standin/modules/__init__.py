"""As much of the web UI's `modules` as Finisher touches; written anew, held against facts of the real one."""
