-- The newest failure whose message is no text: what chDB could not hand over as a Python exception's.
SELECT concat('Code: ', toString(code), '. DB::Exception: ', last_error_message, ' (', name, ')')
FROM system.errors
WHERE NOT isValidUTF8(last_error_message)
ORDER BY last_error_time DESC
LIMIT 1
