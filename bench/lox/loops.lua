-- Loops in loops over local numbers: sums, comparisons, branches.
local function run(rounds)
  local total = 0
  for i = 1, rounds do
    local sum = 0
    for j = 1, 1000 do
      if sum > 5000 then sum = sum - j * 3
      else sum = sum + j / 2 end
    end
    local steps = 0
    while sum > 1 do
      sum = sum / 1.5
      steps = steps + 1
    end
    total = total + steps
  end
  return total
end
print(string.format("%g", run(80000)))
