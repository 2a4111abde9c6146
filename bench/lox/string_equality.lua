-- Strings compared with each other and with what is no string, and new ones made by concatenation.
local function run(n)
  local fir, an, longer = "fir", "an", "a string that is longer than the others "
  local a1, a2 = "first", fir .. "st"
  local b1, b2 = "another", an .. "other"
  local long1, long2 = "a string that is longer than the others are", longer .. "are"
  local equal = 0
  for i = 1, n do
    if a1 == a2 then equal = equal + 1 end
    if a1 == b1 then equal = equal + 1 end
    if b1 == b2 then equal = equal + 1 end
    if a1 ~= b2 then equal = equal + 1 end
    if long1 == long2 then equal = equal + 1 end
    if long1 == a1 then equal = equal + 1 end
    if long2 ~= b1 then equal = equal + 1 end
    if a1 == nil then equal = equal + 1 end
    if b1 == i then equal = equal + 1 end
    if a2 == true then equal = equal + 1 end
  end
  local made = 0
  for i = 1, n / 5 do
    if "fir" .. "st" == a1 then made = made + 1 end
    if a1 .. b1 == b1 .. a1 then made = made - 1 end
    if a1 .. b1 == "firstanother" then made = made + 1 end
  end
  return equal + made
end
print(string.format("%g", run(9000000)))
