#!/bin/sh
# expect_broken.sh KIT PLUGIN RULE CONFIG: the kit must find that the plugin breaks the rule, and say so.
said=$("$1" --rule "$3" --config "$4" --patience 2s --cycles 30 "$2")
code=$?
echo "$said"
case "$said" in
  "skip  $3 "*) exit 77 ;; # what this machine does not allow
  "FAIL  $3 "*) [ $code = 1 ] ;;
  *) exit 1 ;;
esac
